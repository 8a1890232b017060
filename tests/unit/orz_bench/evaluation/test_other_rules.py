"""Where many responses have no answer under the protocol, the reader sees what other rules would have given."""

from __future__ import annotations

from pathlib import Path

from orz_bench.evaluation.other_rules import with_other_rules
from orz_bench.grading.grader import Grader
from orz_bench.records.run_dir import RunDir
from orz_bench.results.report import notes_on
from tests.support.builders import a_problem, a_request, a_result, a_rollout, a_summary

TEXTS = {"p0": "The answer is 0.", "p1": "so 1 it is: 1", "p2": r"\boxed{2}", "p3": "no"}


def test_a_model_that_writes_no_box_is_read_by_other_rules(tmp_path: Path) -> None:
    requests = [a_request(problem=a_problem(problem_id=name, gold=name[1]), sample_index=0) for name in TEXTS]
    folder = RunDir(tmp_path).evaluation(benchmark="b", step=0, fingerprint="f")
    with folder.lock():
        folder.append([a_rollout(problem_id=name, sample_index=0, completion=text) for name, text in TEXTS.items()])
    silent = a_summary(no_answer_rate=1.0, avg_at_n=0.0, num_samples=4)
    with Grader(extractor="orz", num_workers=1) as grader:
        found = with_other_rules(silent, requests, folder=folder, grader=grader, extractor="orz")
        fluent = a_summary(no_answer_rate=0.05)
        assert not with_other_rules(fluent, requests, folder=folder, grader=grader, extractor="orz").other_rules
    assert found.other_rules == {"final": 0.25, "phrase": 0.25, "last-number": 0.75}
    notes = notes_on([a_result(summary=found, protocol={"extractor": "orz"})])
    assert any("100.0 % of the responses have no answer under orz" in note for note in notes)
    assert any("75.0 by last-number" in note and "instead of 0.0" in note for note in notes)
