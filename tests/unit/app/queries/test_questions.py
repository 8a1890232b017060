from __future__ import annotations

from pathlib import Path

import pytest

from app.judging.overrides import both_scores
from app.queries.filters import Filters
from app.queries.keys import Response, RowKey, hash_text
from app.queries.questions import QuestionStep, Sample, history, milestones, questions
from app.queries.rows import page
from app.queries.selection import select
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, write_evaluation, write_training
from tests.support.builders import a_rollout

KEY = RowKey("b", 0, "f", "p", 0)


def _steps(*correct: int, n: int = 4) -> list[QuestionStep]:
    return [
        QuestionStep(
            kind="eval",
            step=10 * number,
            fingerprint="f",
            samples=tuple(
                Sample(RowKey("b", 0, "f", "p", k), "correct" if k < count else "wrong", 3, is_truncated=False)
                for k in range(n)
            ),
        )
        for number, count in enumerate(correct)
    ]


@pytest.mark.parametrize(
    ("correct", "threshold", "first", "lost", "best"),
    [
        ((0, 1, 4), 0.0, 10, None, 20),
        ((0, 0), 0.0, None, None, None),
        ((1, 0, 2, 0, 0), 0.0, 0, 30, 20),
        ((1, 3, 2), 0.5, 10, 20, 10),
        ((4,), 0.5, 0, None, 0),
    ],
)
def test_milestones(
    correct: tuple[int, ...], threshold: float, first: int | None, lost: int | None, best: int | None
) -> None:
    found = milestones(_steps(*correct), threshold=threshold)
    assert (found.first_solved, found.lost_again, found.best) == (first, lost, best)


def test_steps_without_verdicts_count_for_nothing() -> None:
    graded = _steps(0, 2, 1)
    unknown = [
        QuestionStep(kind="eval", step=step, fingerprint="f", samples=(Sample(KEY, None, 3, is_truncated=False),))
        for step in (5, 99)
    ]
    assert [step.share for step in unknown] == [None, None]
    found = milestones([graded[0], unknown[0], *graded[1:], unknown[1]])
    assert (found.first_solved, found.lost_again, found.best) == (10, None, 10)
    found = milestones(unknown)
    assert (found.first_solved, found.lost_again, found.best) == (None, None, None)


def test_an_ungraded_run_has_questions_and_no_scores(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [a_rollout(problem_id="p", sample_index=n, step=0, verdict=None) for n in range(2)]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    index = open_index(run.path)
    (one,) = questions(index)
    assert (one.first_share, one.last_share) == (None, None)
    (step,) = history(index, "arithmetic", problem_id="p")
    (score,) = both_scores(index, {Response(step.samples[0].key, ""): "correct"})
    assert (score.original, score.overridden, score.num_overrides, score.num_changed) == (None, None, 1, 1)
    both = {
        Response(sample.key, ""): verdict for sample, verdict in zip(step.samples, ("correct", "wrong"), strict=True)
    }
    (score,) = both_scores(index, both)
    assert (score.original, score.overridden) == (None, 0.5)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Two questions, evaluated at two steps: p0 rises from 0 to 1, p1 falls from 1 to a half; p2 only in training."""
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    right = {(0, "p0"): 0, (0, "p1"): 2, (20, "p0"): 2, (20, "p1"): 1}
    for step in (0, 20):
        rows = [
            a_rollout(
                problem_id=name, sample_index=n, step=step, verdict="correct" if n < right[step, name] else "wrong"
            )
            for name in ("p0", "p1")
            for n in range(2)
        ]
        write_evaluation(run, step, rows, benchmark="arithmetic")
    write_training(run, 5, [a_rollout(problem_id="p2", step=5), a_rollout(problem_id="p0", step=5)])
    return run


def test_a_question_over_the_steps(run: RunDir) -> None:
    index = open_index(run.path)
    steps = history(index, "arithmetic", problem_id="p0")
    assert [(step.kind, step.step, step.num_correct, len(step.samples)) for step in steps] == [
        ("eval", 0, 0, 2),
        ("eval", 20, 2, 2),
        ("train", 5, 1, 1),
    ]
    assert history(index, "arithmetic", problem_id="p9") == []


def test_the_list_of_questions(run: RunDir) -> None:
    index = open_index(run.path)
    lost = questions(index)
    assert [(one.problem_id, one.num_steps, one.first_share, one.last_share) for one in lost] == [
        ("p1", 2, 1.0, 0.5),
        ("p0", 2, 0.0, 1.0),
        ("p2", 1, 1.0, 1.0),
    ]
    assert [one.problem_id for one in questions(index, order="gained")] == ["p0", "p1", "p2"]
    assert [one.problem_id for one in questions(index, text="2")] == ["p2"]
    assert questions(index, benchmark="other") == []


def test_a_step_that_has_lost_samples_is_compared_with_none(run: RunDir) -> None:
    """Damaged, or fewer than the summary counts; the rows that are left are still shown."""
    steps = {one.step: one for one in run.evaluations()}
    steps[20].summary_path.write_text('{"num_samples": 5}', encoding="utf-8")
    write_evaluation(run, 30, [a_rollout(problem_id="p1", step=30, verdict="wrong")], benchmark="arithmetic")
    damaged = next(one for one in run.evaluations() if one.step == 30)
    damaged.append([a_rollout(problem_id="p2", step=30)])
    part = part_files(damaged.path)[1]
    part.write_bytes(part.read_bytes()[:-20])
    index = open_index(run.path)
    steps_of_p1 = history(index, "arithmetic", problem_id="p1")
    assert [(step.step, step.num_correct, step.is_incomplete) for step in steps_of_p1] == [
        (0, 2, False), (20, 1, True), (30, 0, True),
    ]  # fmt: skip
    assert milestones(steps_of_p1).lost_again is None
    found = next(one for one in questions(index) if one.problem_id == "p1")
    assert (found.first_share, found.last_share) == (1.0, 1.0)
    (score,) = both_scores(index, {Response(steps_of_p1[1].samples[0].key, ""): "correct"})
    assert (score.original, score.overridden, score.num_overrides) == (None, None, 1)


def test_numbers_in_ids_are_in_their_order(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    names = ["100", "q9", "1", "q10/2", "0", "10", "x", "q10/1", "2"]
    write_evaluation(run, 0, [a_rollout(problem_id=name, step=0) for name in names], benchmark="arithmetic")
    index = open_index(run.path)
    wanted = ["0", "1", "2", "10", "100", "q9", "q10/1", "q10/2", "x"]
    assert [one.problem_id for one in questions(index, order="id")] == wanted
    for order in (Filters(order="step"), Filters(order="problem")):
        rows = page(index, select(index, order), offset=0, limit=20)
        assert [row.key.problem_id for row in rows] == wanted


def test_scores_with_overrides_are_given_with_the_originals(run: RunDir) -> None:
    index = open_index(run.path)
    (fingerprint,) = {step.fingerprint for step in history(index, "arithmetic", problem_id="p0")} - {""}
    texts = dict(
        index.cursor()
        .execute("SELECT problem_id || sample_index, text_hash FROM rollouts WHERE step = 20 AND kind = 'eval'")
        .fetchall()
    )
    overrides = {
        Response(RowKey("arithmetic", 20, fingerprint, "p1", 1), hash_text(texts["p11"])): "correct",
        Response(RowKey("arithmetic", 20, fingerprint, "p0", 0), ""): "correct",
        Response(RowKey("arithmetic", 20, fingerprint, "p0", 1), "00000000000000aa"): "wrong",
        Response(RowKey("arithmetic", 20, fingerprint, "gone", 0), ""): "wrong",
        Response(RowKey("arithmetic", 5, "", "p2", 0), ""): "wrong",
    }
    (score,) = both_scores(index, overrides)
    assert (score.benchmark, score.step, score.num_problems, score.num_samples) == ("arithmetic", 20, 2, 4)
    assert (score.original, score.overridden) == (0.75, 1.0)
    assert (score.num_overrides, score.num_changed) == (2, 1)
    assert both_scores(index, {}) == []
