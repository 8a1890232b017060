"""Pass rates by checkpoint, answers, and facts of questions, against plain loops over the rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.queries.answers import Answer, Votes, agreed, votes
from app.queries.facts import fact_values, question_facts
from app.queries.filters import Filters
from app.queries.rates import Matrix, column_means, margins, ordered, rates, series_of, side_by_side, steps_of
from app.queries.rows import page
from app.queries.selection import select
from app.queries.sides import Side, side_of, side_text
from app.views.matrix_chart import cells
from orz_bench.errors import DataError
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import RunDir
from orz_bench.results.statistics import majority
from tests.support.app_runs import open_index, random_run, write_evaluation
from tests.support.builders import a_rollout

FINGERPRINT = "0123456789ab"


@pytest.mark.parametrize(
    "side",
    [Side("a", 0, "f"), Side("a@3~x", 10, "f", 2), Side("sweep/a", 5, ""), Side("a~1", 5, "", 0), Side("@", 1, "f")],
)
def test_a_side_is_what_its_text_says(side: Side) -> None:
    assert side_of(side_text(side)) == side


@pytest.mark.parametrize("text", ["", "a", "a@", "a@x~f", "@1~f", "a@1", "a@1~f~x", "a@1~f~1~2", "a@-1~f", "a@१~f"])
def test_other_texts_are_no_side(text: str) -> None:
    assert side_of(text) is None


def test_rates_are_those_of_the_rows(tmp_path: Path) -> None:
    run, rows = random_run(tmp_path / "run")
    index = open_index(run.path)
    assert [(one.benchmark, one.fingerprint, one.num_steps) for one in series_of(index)] == [
        ("bench0", FINGERPRINT, 2), ("bench1", FINGERPRINT, 2), ("bench0", "", 2), ("bench1", "", 2),
    ]  # fmt: skip
    for fingerprint, kind in ((FINGERPRINT, "eval"), ("", "train")):
        found = rates(index, "bench1", fingerprint=fingerprint)
        assert found.columns == (("0", "2") if kind == "eval" else ("1", "2"))
        for (row, problem), (column, step) in (
            (a, b) for a in enumerate(found.problems) for b in enumerate(found.columns)
        ):
            of = [r for k, _, r in rows if (k, r.benchmark, r.problem_id) == (kind, "bench1", problem)]
            verdicts = [r.verdict for r in of if str(r.step) == step]
            assert found.graded[row, column] == len(verdicts)
            assert found.shares[row, column] == pytest.approx(np.mean([v == "correct" for v in verdicts]))
    only = rates(index, "bench1", fingerprint=FINGERPRINT, step=2)
    assert only.shares[:, 0].tolist() == rates(index, "bench1", fingerprint=FINGERPRINT).shares[:, 1].tolist()


def test_an_incomplete_checkpoint_has_no_column(tmp_path: Path) -> None:
    run, _ = random_run(tmp_path / "run")
    at = next(one for one in run.evaluations() if (one.benchmark, one.step) == ("bench0", 2))
    at.summary_path.write_text('{"num_samples": 1000}', encoding="utf-8")
    index = open_index(run.path)
    assert steps_of(index, "bench0", fingerprint=FINGERPRINT) == [0]
    assert rates(index, "bench0", fingerprint=FINGERPRINT).columns == ("0",)
    assert series_of(index)[0].num_incomplete == 1


def _matrix(*rows: tuple[float, ...]) -> Matrix:
    shares = np.array(rows, dtype=float)
    names = tuple(f"q{number}" for number in range(len(rows)))
    return Matrix(problems=names, columns=tuple("abcd"[: shares.shape[1]]), shares=shares, graded=np.ones_like(shares))


def test_orders_and_margins() -> None:
    nan = float("nan")
    matrix = _matrix((0, 0.5, 1), (1, 0.5, 0), (0.5, 1, 0.5), (nan, 0.25, 0.25), (nan, nan, nan), (nan, 1, nan))
    found = margins(matrix)
    assert found.learned[:4].tolist() == [1, -1, 0, 0]
    assert found.forgotten[:4].tolist() == [0, 1, 0.5, 0]
    assert found.unstable[:4].tolist() == [0, 0, 1, 0]
    assert found.mean[[0, 3, 5]].tolist() == [0.5, 0.25, 1]
    assert np.isnan([found.mean[4], found.learned[4], found.learned[5], found.forgotten[5]]).all()
    first = {
        order: ordered(matrix, order).problems[0] for order in ("learned", "forgotten", "unstable", "hardest", "id")
    }
    assert first == {"learned": "q0", "forgotten": "q1", "unstable": "q2", "hardest": "q3", "id": "q0"}
    assert ordered(matrix, "hardest").problems[-1] == "q4", "without a rate it is last"
    assert column_means(matrix).tolist() == pytest.approx([0.5, 0.65, 0.4375])
    assert np.isnan(column_means(_matrix((nan,), (nan,)))).all()


def test_orders_of_many_matrices_are_those_of_a_plain_loop() -> None:
    rng = random.Random(0)
    for _ in range(30):
        rows = [tuple(rng.choice([0.0, 0.25, 0.5, 1.0, float("nan")]) for _ in range(5)) for _ in range(12)]
        matrix, found = _matrix(*rows), margins(_matrix(*rows))
        for number, row in enumerate(rows):
            known = [share for share in row if share == share]
            if len(known) > 1:
                steps = [b - a for a, b in pairwise(known)]
                assert found.learned[number] == pytest.approx(sum(steps))
                assert found.unstable[number] == pytest.approx(sum(map(abs, steps)) - abs(sum(steps)))
                assert found.forgotten[number] == pytest.approx(max(known) - known[-1])
        assert sorted(ordered(matrix, "unstable").problems) == sorted(matrix.problems)


def test_a_picture_has_whole_percentages_and_no_zero_for_what_was_not_asked() -> None:
    nan = float("nan")
    found = cells(_matrix((0.256, nan), (nan, nan), (1, 0)), of="step")
    assert found["shares"] == [26, -1, -1, -1, 100, 0]
    assert (found["margin"], found["means"]) == ([26, -1, 50], [63, 0])


def test_runs_side_by_side_have_the_questions_of_any() -> None:
    a, b = _matrix((0.5,), (1,)), _matrix((0.25,)).chosen([0])
    both = side_by_side({"x": a, "y": b})
    assert (both.problems, both.columns) == (("q0", "q1"), ("x", "y"))
    assert both.shares[0].tolist() == [0.5, 0.25]
    assert np.isnan(both.shares[1, 1])


def test_votes_are_those_of_the_rows(tmp_path: Path) -> None:
    run, rows = random_run(tmp_path / "run")
    index = open_index(run.path)
    found = votes(index, "bench0")
    for one in found:
        of = [
            r
            for k, f, r in rows
            if (f, r.step, r.problem_id, r.benchmark) == (one.fingerprint, one.step, one.problem_id, "bench0")
        ]
        right = [r.verdict == "correct" for r in of]
        wanted = Counter("=" if ok else r.extracted for ok, r in zip(right, of, strict=True))
        assert {("=" if a.is_right else a.text): n for a, n in one.counts.items()} == wanted
        share = majority([r.extracted for r in of], right)
        assert one.majority is None or share == float(one.majority.is_right)
    alone = votes(index, "bench0", problem_id="p1")
    assert alone == [one for one in found if one.problem_id == "p1"]
    assert votes(index, "none") == []


def _votes(step: int, problem: str = "p", **counts: int) -> Votes:
    answers = {Answer(None if name == "none" else name, name == "right"): number for name, number in counts.items()}
    return Votes(problem_id=problem, fingerprint="f", step=step, gold="1", counts=answers)


def test_a_stable_wrong_majority() -> None:
    kinds: dict[str, Callable[[int], dict[str, int]]] = {
        "stable": lambda step: {"x": 3, "right": 1},
        "since": lambda step: {"right": 4} if step < 2 else {"x": 4},
        "last": lambda step: {"right": 4} if step < 3 else {"x": 4},
        "moves": lambda step: {f"x{step}": 4},
        "tied": lambda step: {"x": 2, "y": 2},
        "right": lambda step: {"right": 4},
        "none": lambda step: {"none": 3, "x": 1},
    }
    votes_of = {name: [_votes(step, name, **counts(step)) for step in range(4)] for name, counts in kinds.items()}
    found = agreed(votes_of)
    assert [(one.problem_id, one.since, one.num_columns, one.share) for one in found] == [
        ("stable", 0, 4, 0.75), ("since", 2, 2, 1.0), ("none", 0, 4, 0.25),
    ]  # fmt: skip
    assert [one.problem_id for one in agreed(votes_of, is_everywhere=True)] == ["stable", "none"]


def test_a_part_that_is_gone_is_said(tmp_path: Path) -> None:
    run, _ = random_run(tmp_path / "run")
    index = open_index(run.path)
    for one in run.evaluations():
        for path in part_files(one.path):
            path.unlink()
    with pytest.raises(DataError, match="no longer on disk"):
        votes(index, "bench0")


def test_facts_of_questions(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    for step in (0, 5):
        rows = [
            a_rollout(
                problem_id=f"p{number}", sample_index=sample, step=step,
                extra={"level": number % 3, "subject": "a=b" if number % 2 else "c", "url": f"u{number}",
                       "seen": sample, "our_note": "x", "flag": True},
            )
            for number in range(12)
            for sample in range(2)
        ]  # fmt: skip
        write_evaluation(run, step, rows, benchmark="arithmetic")
    index = open_index(run.path)
    assert question_facts(index)["arithmetic", "p3"] == {"level": "0", "subject": "a=b", "url": "u3"}
    assert fact_values(index) == {"level": ["0", "1", "2"], "subject": ["a=b", "c"]}
    assert fact_values(index, benchmark="other") == {}
    for about, wanted in (
        (("level=1",), {1, 4, 7, 10}),
        (("level=1", "level=2", "subject=a=b"), {1, 5, 7, 11}),
        (("level=9",), set()),
        (("none",), set()),
    ):
        selection = select(index, Filters(about=about))
        rows_found = page(index, selection, offset=0, limit=100)
        assert {row.key.problem_id for row in rows_found} == {f"p{number}" for number in wanted}
        assert selection.total == 4 * len(wanted)
