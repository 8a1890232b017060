"""lm-eval through orz-bench, and orz-bench's benchmarks through lm-eval; tasks and rows are made up, no hub asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import orz_bench.evaluation.harness.lm_eval_tasks
from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.templates import orz_code
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import all_benchmarks, get_benchmark
from orz_bench.errors import ConfigError
from orz_bench.evaluation.harness.lm_eval_tasks.functions import followed, question, share, verdict
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.run_evaluation import run_evaluations
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.results.report import render_markdown
from tests.support.builders import a_problem
from tests.support.tiny_model import a_tiny_checkpoint
from tests.unit.orz_bench.evaluation.test_evaluate import Listener

TASKS = ("lm-eval:toy_choice", "lm-eval:toy_both", "lm-eval:toy_text")
FIELDS = ("benchmark", "problem_id", "question", "gold", "kind", "num_choices")
TASK_FOLDER = Path(orz_bench.evaluation.harness.lm_eval_tasks.__path__[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks over the same rows: options, written answers with two filters, rolling likelihoods; and a group."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [{"q": f"What is {at} + 1?", "options": [str(at + 1), str(at)], "right": 0} for at in range(6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data: dict[str, Any] = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": str(folder / "rows.jsonl")},
        "test_split": "train",
    }
    choice: dict[str, Any] = {"task": "toy_choice", "output_type": "multiple_choice", "doc_to_text": "{{q}} It is"}
    choice |= {"doc_to_choice": "{{options}}", "doc_to_target": "{{right}}", "metric_list": [{"metric": "acc"}]}
    filters = [
        {"name": name, "filter": [{"function": "regex", "regex_pattern": pattern}, {"function": "take_first"}]}
        for name, pattern in (("strict", "^([0-9])$"), ("loose", "([0-9])"))
    ]
    written: dict[str, Any] = {
        "task": "toy_written",
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "filter_list": filters,
    }
    written |= {"doc_to_target": "{{options[right]}}", "metric_list": [{"metric": "exact_match"}]}
    written |= {"generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}}
    text: dict[str, Any] = {
        "task": "toy_text",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{q}}",
    }
    text |= {"metric_list": [{"metric": "word_perplexity"}]}
    group: dict[str, Any] = {"group": "toy_both", "task": ["toy_choice", "toy_written"]}
    for name, task in (("choice", data | choice), ("written", data | written), ("text", data | text), ("both", group)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(a_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def options(folder: Path, checkpoint: str, tmp_path: Path) -> EvalOptions:
    return EvalOptions(
        checkpoint=checkpoint,
        benchmarks=TASKS,
        engine="transformers",
        dtype="float32",
        include_paths=(folder,),
        out=tmp_path / "run",
    )


def results_of(options: EvalOptions) -> list[EvalResult]:
    return run_evaluations(options, observer=Listener())


def test_tasks_land_in_the_run_directory_and_again_ask_nothing(options: EvalOptions) -> None:
    choice, both, text = results_of(options)
    assert [result.benchmark for result in (choice, both, text)] == list(TASKS)
    assert [result.summary.num_problems for result in (choice, both, text)] == [6, 12, 6]
    figure = choice.summary.breakdown["lm-eval"]["toy_choice acc"]
    assert choice.summary.avg_at_n == pytest.approx(figure.value)
    assert choice.summary.se_question == pytest.approx(figure.standard_error)
    assert [result.protocol["scored_by"] for result in (choice, both, text)] == ["acc", "acc, exact_match", None]
    assert text.summary.breakdown["lm-eval"]["toy_text word_perplexity"].value > 1
    run = RunDir(Path(choice.run))
    rows = [row for evaluation in run.evaluations() for row in evaluation.read().to_pylist()]
    by_id = {(row["benchmark"], row["problem_id"]): row for row in rows}
    row = by_id["lm-eval:toy_choice", "toy_choice-3"]
    extra = json.loads(row["extra"])
    assert (row["prompt"], row["gold"]) == ("What is 3 + 1? It is", "0")
    assert row["completion"] == max(extra["loglikelihoods"], key=extra["loglikelihoods"].get)
    assert row["verdict"] == ("correct" if row["completion"] == " 4" else "wrong")
    written = by_id["lm-eval:toy_both", "toy_written-3"]
    assert (written["gold"], written["second_extractor"]) == ("4", "loose")
    assert 0 < written["num_tokens"] <= 6
    answers = {path: path.read_bytes() for path in run.path.glob("evals/lm-eval--*/*/*/answers.jsonl")}
    again = results_of(options)
    assert [result.num_generated_now for result in (choice, both, text, *again)] == [6, 12, 6, 0, 0, 0]
    assert [result.summary for result in again] == [result.summary for result in (choice, both, text)]
    assert all(path.read_bytes() == content for path, content in answers.items())
    assert len(answers) == 3
    assert sum(len(evaluation.keys()) for evaluation in run.evaluations()) == len(rows) == 24
    report = render_markdown(run.results())
    assert "toy_written exact_match (strict)" in report
    assert "no metric of this task says right or wrong" in report


def test_other_questions_are_another_evaluation(options: EvalOptions, folder: Path) -> None:
    """Though the task is the same to the letter: rows of different data never stand in one folder."""
    (before,) = results_of(replace(options, benchmarks=TASKS[:1]))
    path = folder / "rows.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("What is 0", "What was 0"), encoding="utf-8")
    (after,) = results_of(replace(options, benchmarks=TASKS[:1]))
    path.write_text(text, encoding="utf-8")
    assert before.protocol["configs_digest"] == after.protocol["configs_digest"]
    assert before.fingerprint != after.fingerprint


def test_what_is_wrong_is_said(options: EvalOptions) -> None:
    with pytest.raises(ConfigError, match=r"no task 'toy_choise' \(did you mean 'toy_choice'\?\); it has"):
        results_of(replace(options, benchmarks=("lm-eval:toy_choise",)))
    with pytest.raises(ConfigError, match="do not apply to them: protocol, n"):
        results_of(replace(options, protocol="r1", protocol_changes=ProtocolChanges(n=4)))
    with pytest.raises(ConfigError, match="no such folder"):
        results_of(replace(options, include_paths=(Path("nowhere"),)))


def test_our_benchmarks_are_tasks_of_lm_eval() -> None:
    """With lm-eval's own evaluator and its model that always says the same."""
    from lm_eval.evaluator import evaluate
    from lm_eval.models.dummy import DummyLM
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(TASK_FOLDER), include_defaults=False)
    written = {name for name, one in all_benchmarks().items() if one.answered == "by_writing"}
    wanted = {f"orz_{name}" for name in written - {"livecodebench"}}
    assert set(manager.all_tasks) == wanted
    found = evaluate(lm=DummyLM(), task_dict=manager.load(["orz_arithmetic"]), limit=3)
    samples = found["samples"]["orz_arithmetic"]
    assert [(sample["correct"], sample["answered"]) for sample in samples] == [(0.0, 0.0)] * 3
    assert samples[0]["arguments"][0][0] == orz_code(load_problems(get_benchmark("arithmetic")).problems[0], None)
    assert found["results"]["orz_arithmetic"]["correct,none"] == 0
    right = verdict(samples[0]["doc"], [f"so \\boxed{{{samples[0]['target']}}}"])
    assert right == {"correct": 1.0, "answered": 1.0}


def test_ifeval_is_a_task_of_lm_eval() -> None:
    checks = [{"id": "punctuation:no_comma", "arguments": {}}, {"id": "startend:quotation", "arguments": {}}]
    problem = a_problem(kind="instruction", gold=json.dumps(checks), question="Say hello.")
    document = {**{name: getattr(problem, name) for name in FIELDS}, "extra": "{}"}
    assert question(document) == "Say hello."
    assert followed(document, ["hello"]) == {
        "prompt_level_strict_acc": 0.0,
        "prompt_level_loose_acc": 0.0,
        "inst_level_strict_acc": [True, False],
        "inst_level_loose_acc": [True, False],
    }
    assert share([[True, False], [True]]) == pytest.approx(2 / 3)
