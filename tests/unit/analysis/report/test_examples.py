from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.curves.build import build_study
from analysis.reading.load import load_path
from analysis.report.examples import examples_of
from tests.support.builders import a_rollout
from tests.support.runs import a_run


def test_problems_that_were_won_come_first(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=2)
    for step, right in ((0, {"p1"}), (2, {"p2", "p3"})):
        rollouts = [
            a_rollout(
                problem_id=f"p{problem}",
                sample_index=sample,
                step=step,
                completion=f"step {step} sample {sample}",
                verdict="correct" if f"p{problem}" in right else "wrong",
            )
            for problem in range(5)
            for sample in (1, 0)
        ]
        evaluation = run.evaluation(benchmark="arithmetic", step=step, fingerprint="0123456789ab")
        evaluation.replace(rollouts)
        result = evaluation.result()
        assert result is not None
        evaluation.write_result(replace(result, summary=replace(result.summary, num_samples=len(rollouts))))
    examples = examples_of(build_study(load_path(run.path)[0]))
    assert [example.title for example in examples] == ["arithmetic, p2", "arithmetic, p3", "arithmetic, p1"]
    first = examples[0]
    assert (first.question, first.gold) == ("What is 1 + 1?", "2")
    assert (first.before.text, first.before.verdict, first.before.step) == ("step 0 sample 0", "wrong", 0)
    assert (first.after.text, first.after.verdict, first.after.num_tokens) == ("step 2 sample 0", "correct", 9)


def test_no_evaluations_no_examples(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"response": "a", "index": 1}\n')
    assert examples_of(build_study(load_path(file)[0])) == []
