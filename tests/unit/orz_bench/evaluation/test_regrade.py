"""Grading a run again: nothing is drawn or lost, both verdicts are kept, and a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.asking.protocol import fingerprint_of
from orz_bench.errors import ConfigError, RunDirError
from orz_bench.evaluation import regrade
from orz_bench.evaluation.evaluate import summary_of
from orz_bench.evaluation.regrade import GRADED_BEFORE, RegradedEvaluation, RegradeOptions, regrade_run
from orz_bench.grading.grader import Submission, grader_version
from orz_bench.records.parquet import part_files, rollouts_from_table
from orz_bench.records.rollout import Grade
from orz_bench.records.run_dir import EvaluationDir, RunDir, to_json, write_text
from orz_bench.results.lookup import compare_runs, evaluation_pairs, results_of
from orz_bench.results.report import notes_on
from tests.support.builders import a_grade, a_result, a_rollout

BENCHMARK = "arithmetic_mixed"
CARD: dict[str, Any] = {"benchmark": BENCHMARK, "extractor": "boxed", "grader_version": "old", "temperature": 1.0}


class NewGrader:
    """Finds every sample right whose completion ends in a digit; dies when it is told to."""

    num_graded = 0
    dies_at = 10**9

    def __init__(self, **settings: Any) -> None:
        assert settings["extractor"] == "boxed"

    def close(self) -> None:
        """Nothing to end."""

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        if NewGrader.num_graded >= NewGrader.dies_at:
            raise KeyboardInterrupt
        NewGrader.num_graded += len(submissions)
        return [
            a_grade(verdict="correct" if one.response[-1:].isdigit() else "wrong", extracted="new")
            for one in submissions
        ]


@pytest.fixture(autouse=True)
def _new_grader(monkeypatch: pytest.MonkeyPatch) -> None:
    NewGrader.num_graded, NewGrader.dies_at = 0, 10**9
    monkeypatch.setattr(regrade, "Grader", NewGrader)
    monkeypatch.setattr(regrade, "grader_version", lambda _kind: "new")
    monkeypatch.setattr(regrade, "_BATCH_ROWS", 4)


def an_old_run(path: Path, *, num_problems: int = 5) -> tuple[RunDir, EvaluationDir]:
    run = RunDir(path)
    run.create(kind="eval", command=["orz-bench", "eval"], seed=1, environment={})
    folder = run.evaluation(benchmark=BENCHMARK, step=3, fingerprint=fingerprint_of(CARD))
    rows = [
        a_rollout(
            benchmark=BENCHMARK,
            problem_id=f"p{index}",
            sample_index=sample,
            completion="so 1" if index % 2 else "so x",
            verdict="wrong",
            extracted="old",
            grader_version="old",
            step=3,
        )
        for index in range(num_problems)
        for sample in range(2)
    ]
    with folder.lock():
        folder.append(rows)
    protocol = {"model": "m", "model_digest": "d", "seed": 1, "fingerprint": folder.path.name, "card": CARD}
    write_text(folder.protocol_path, to_json(protocol))
    summary = summary_of(folder, folder.keys())
    folder.write_result(
        a_result(
            run=str(path), benchmark=BENCHMARK, step=3, fingerprint=folder.path.name, protocol=CARD, summary=summary
        )
    )
    return run, folder


def again(run: RunDir) -> list[RegradedEvaluation]:
    return list(regrade_run(run, options=RegradeOptions(), notice=print))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_both_verdicts_are_kept_and_the_old_evaluation_stays_as_it_is(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    before = content(old.path)
    (done,) = again(run)
    assert content(old.path) == before
    assert (done.num_samples, done.num_graded_now, dict(done.changes)) == (10, 10, {("wrong", "correct"): 4})
    assert (done.accuracy_old, done.accuracy_new) == (0.0, 0.4)
    new = run.evaluation(benchmark=BENCHMARK, step=3, fingerprint=done.new)
    assert done.new == fingerprint_of(CARD | {"grader_version": "new"})
    rows = rollouts_from_table(new.read())
    assert {row.grader_version for row in rows} == {"new"}
    assert {json.dumps(row.extra[GRADED_BEFORE]["verdict"]) for row in rows} == {'"wrong"'}
    assert {row.extra[GRADED_BEFORE]["grader_version"] for row in rows} == {"old"}
    originals = {row.key: row for row in rollouts_from_table(old.read())}
    for row in rows:
        original = originals[row.key]
        unchanged = replace(
            row,
            extracted=original.extracted,
            verdict=original.verdict,
            why=original.why,
            second_extractor=original.second_extractor,
            second_extracted=original.second_extracted,
            second_verdict=original.second_verdict,
            grader_version="old",
            extra=original.extra,
        )
        assert unchanged == original


def test_the_new_summary_says_where_it_comes_from(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    (done,) = again(run)
    by_fingerprint = {result.fingerprint: result for result in results_of(run.path)}
    assert set(by_fingerprint) == {old.path.name, done.new}
    result = by_fingerprint[done.new]
    assert (result.regraded_from, result.protocol["grader_version"]) == (old.path.name, "new")
    assert result.summary.avg_at_n == 0.4
    assert by_fingerprint[old.path.name].summary.avg_at_n == 0.0
    notes = " ".join(notes_on(results_of(run.path)))
    assert "graded again" in notes
    assert "differ in grader_version" in notes


def test_another_second_rule_is_kept_beside_the_same_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Math-Verify finds in the whole response, although the protocol's rule finds no box."""
    monkeypatch.undo()  # the real grader
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=1, environment={})
    card = CARD | {"grader_version": grader_version("math")}
    old = run.evaluation(benchmark=BENCHMARK, step=3, fingerprint=fingerprint_of(card))
    texts = (r"so it is $\frac{1}{2}$.", r"so \boxed{3}")
    rows = [
        a_rollout(
            benchmark=BENCHMARK, sample_index=n, gold=r"\frac12", completion=text, verdict=verdict, extracted=None
        )
        for n, (text, verdict) in enumerate(zip(texts, ("no_answer", "wrong"), strict=True))
    ]
    with old.lock():
        old.append(rows)
    write_text(old.protocol_path, to_json({"model_digest": "d", "seed": 1, "card": card}))
    old.write_result(
        a_result(
            run=str(run.path), benchmark=BENCHMARK, step=3, fingerprint=old.path.name, protocol=card,
            summary=summary_of(old, old.keys()),
        )
    )  # fmt: skip
    assert again(run) == [], "the present grader has graded it"
    options = RegradeOptions(second="math-verify")
    (done,) = regrade_run(run, options=options, notice=print)
    assert (done.num_graded_now, dict(done.changes)) == (2, {})
    new = old.path.with_name(done.new)
    found = [
        (row.verdict, row.second_extractor, row.second_verdict)
        for row in rollouts_from_table(EvaluationDir(new).read())
    ]
    assert found == [("no_answer", "math-verify", "correct"), ("wrong", "math-verify", "wrong")]
    result = EvaluationDir(new).result()
    assert result is not None
    assert (result.regraded_from, result.summary.second_extractor) == (old.path.name, "math-verify")
    assert result.summary.accuracy_second_extractor == 0.5
    assert not [note for note in notes_on(results_of(run.path)) if "not to be compared" in note]
    assert [one.num_graded_now for one in regrade_run(run, options=options, notice=print)] == [0], "kept"
    assert again(run) == [], "the second rule of an evaluation stays its own"
    (pair,) = evaluation_pairs(f"{run.path}@3", str(run.path), benchmarks=None, across_protocols=False)
    assert pair.differing == ()
    heard: list[str] = []
    assert list(regrade_run(run, options=RegradeOptions(second="mmlu-pro"), notice=heard.append)) == []
    assert all("--second 'mmlu-pro' does not read mathematics" in text for text in heard)


def test_the_same_command_again_grades_nothing(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    (first,) = again(run)
    new = old.path.with_name(first.new)
    parts = [path.read_bytes() for path in part_files(new)]
    (second,) = again(run)
    assert (second.num_graded_now, second.changes, second.new) == (0, first.changes, first.new)
    assert [path.read_bytes() for path in part_files(new)] == parts


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    NewGrader.dies_at = 4
    with pytest.raises(KeyboardInterrupt):
        again(run)
    new = EvaluationDir(old.path.with_name(fingerprint_of(CARD | {"grader_version": "new"})))
    assert len(new.keys()) == 4
    assert new.result() is None, "no figures of half the samples"
    (new.path / ".part-000001.parquet.tmp").write_bytes(b"half")
    NewGrader.dies_at = 10**9
    (done,) = again(run)
    assert done.num_graded_now == 6
    assert len(new.read()) == len(new.keys()) == 10
    assert not list(new.path.glob(".part-*"))


def test_comparisons_take_the_last_grades_of_both(tmp_path: Path) -> None:
    runs = [an_old_run(tmp_path / name)[0] for name in ("a", "b")]
    fingerprints = {done.new for run in runs for done in again(run)}
    (compared,) = compare_runs(*(str(run.path) for run in runs), benchmarks=None, across_protocols=False)
    assert {compared.a.fingerprint, compared.b.fingerprint} == fingerprints


def test_what_cannot_be_graded_again_is_named(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    write_text(old.protocol_path, to_json({"benchmark": BENCHMARK, "step": 3}))
    heard: list[str] = []
    assert list(regrade_run(run, options=RegradeOptions(), notice=heard.append)) == []
    assert "skipped" in heard[0]
    with pytest.raises(RunDirError, match="not a run"):
        again(RunDir(tmp_path / "nothing"))
    empty = RunDir(tmp_path / "empty")
    empty.create(kind="eval", command=[], seed=1, environment={})
    with pytest.raises(ConfigError, match="no evaluation"):
        again(empty)


def test_samples_of_another_seed_are_never_mixed(tmp_path: Path) -> None:
    run, old = an_old_run(tmp_path / "run")
    (done,) = again(run)
    new = EvaluationDir(old.path.with_name(done.new))
    protocol = json.loads(new.protocol_path.read_text())
    write_text(new.protocol_path, to_json(protocol | {"seed": 2}))
    with pytest.raises(RunDirError, match="never mixed"):
        again(run)
