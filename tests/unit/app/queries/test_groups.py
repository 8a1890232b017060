"""Groups of a selection against plain loops over its rows; each group's filter selects exactly its rollouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.queries.filters import Filters
from app.queries.groups import GROUPINGS, MOST_GROUPS, filter_of, groups, value_title
from app.queries.index import RunIndex
from app.queries.selection import MarkedRow, Marks, select
from app.views.list_columns import COLUMNS
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, random_run, write_evaluation, write_training
from tests.support.builders import a_rollout

Rows = list[tuple[str, str, Rollout]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunIndex, Rows]:
    made, rows = random_run(tmp_path_factory.mktemp("runs") / "run")
    return open_index(made.path), rows


def _marks(rows: Rows) -> Marks:
    found = [
        MarkedRow(r.benchmark, r.step, f, r.problem_id, r.sample_index, None, False, False, tags)
        for (_, f, r), tags in zip(rows, (("x",), ("x", "y"), ("y",)), strict=False)
    ]
    return Marks(version=1, rows=tuple(found))


VALUES: dict[str, Callable[[str, str, Rollout], object]] = {
    "bench": lambda kind, f, r: r.benchmark, "kind": lambda kind, f, r: kind, "step": lambda kind, f, r: r.step,
    "protocol": lambda kind, f, r: f or None, "problem": lambda kind, f, r: r.problem_id,
    "sample": lambda kind, f, r: r.sample_index, "verdict": lambda kind, f, r: r.verdict,
    "second": lambda kind, f, r: r.second_verdict, "stop": lambda kind, f, r: r.stop_reason,
    "tokens": lambda kind, f, r: r.num_tokens.bit_length() - 1, "reward": lambda kind, f, r: r.reward,
    "answer": lambda kind, f, r: r.extracted, "gold": lambda kind, f, r: r.gold, "why": lambda kind, f, r: r.why,
    "chars": lambda kind, f, r: max(len(r.completion), 1).bit_length() - 1,
}  # fmt: skip


@pytest.mark.parametrize("by", VALUES)
def test_groups_are_those_of_the_rows(run: tuple[RunIndex, Rows], by: str) -> None:
    index, rows = run
    wanted = [row for row in rows if row[2].verdict in ("correct", "wrong")]
    found = groups(index, select(index, Filters(verdicts=("correct", "wrong"))), by=by)

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    counts = Counter(text(VALUES[by](*row)) for row in wanted)
    right = Counter(text(VALUES[by](*row)) for row in wanted if row[2].verdict == "correct")
    assert {one.value: one.num for one in found.rows} == counts
    assert {one.value: one.num_correct for one in found.rows} == {value: right[value] for value in counts}
    assert found.total == len(counts)


OTHER_NAMES = {"extracted": "answer", "tags": "tag", "question": "problem"}
OF_A_SEARCH = {"hit", "hits"}
"""Columns that say something of the search, not of the rollout."""


def test_every_column_of_the_list_can_be_grouped_by() -> None:
    known = {OTHER_NAMES.get(name, name) for name in COLUMNS} - OF_A_SEARCH - {"response"}
    assert known <= set(GROUPINGS)


def test_numbers_are_grouped_by_their_tenths(tmp_path: Path) -> None:
    made = RunDir(tmp_path / "run")
    made.create(kind="train", command=[], seed=0, environment={})
    rows = [a_rollout(sample_index=n, advantage=number) for n, number in enumerate([-0.25, -0.21, 0.0, 0.3, None])]
    write_training(made, 1, rows)
    index = open_index(made.path, measured=False)
    found = groups(index, select(index, Filters()), by="advantage").rows
    assert [(value_title("advantage", one.value), one.num) for one in found] == [
        ("-0.3 to -0.2", 2), ("0 to 0.1", 1), ("0.3 to 0.4", 1), ("–", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("by", GROUPINGS)
def test_the_filter_of_a_group_selects_its_rollouts(run: tuple[RunIndex, Rows], by: str) -> None:
    index, rows = run
    marks = _marks(rows)
    for one in groups(index, select(index, Filters(), marks=marks), by=by).rows:
        chosen = filter_of(by, one.value)
        if chosen:
            assert select(index, replace(Filters(), **chosen), marks=marks).total == one.num, one
        assert value_title(by, one.value)


def test_tags_and_facts(tmp_path: Path) -> None:
    made = RunDir(tmp_path / "run")
    made.create(kind="eval", command=[], seed=0, environment={})
    rows = [
        a_rollout(problem_id=f"p{n}", extra={"level": n % 2}, verdict="correct" if n % 2 else None) for n in range(4)
    ]
    write_evaluation(made, 0, rows, benchmark="arithmetic")
    index = open_index(made.path, measured=False)
    kept = Marks(version=1, rows=(MarkedRow("arithmetic", 0, "0123456789ab", "p0", 0, None, False, False, ("x", "y")),))
    selection = select(index, Filters(), marks=kept)
    assert {one.value: one.num for one in groups(index, selection, by="tag").rows} == {"x": 1, "y": 1, None: 3}
    levels = {one.value: (one.num, one.share) for one in groups(index, selection, by="about:level").rows}
    assert levels == {"0": (2, None), "1": (2, 1.0)}
    for wrong in ("nothing", "about:nothing", "problem_id; drop table rollouts"):
        with pytest.raises(ConfigError, match="unknown group"):
            groups(index, selection, by=wrong)
    assert groups(index, select(index, Filters(problem="none")), by="answer").total == 0


def test_many_groups_are_cut_and_counted(tmp_path: Path) -> None:
    made = RunDir(tmp_path / "run")
    made.create(kind="eval", command=[], seed=0, environment={})
    write_evaluation(made, 0, [a_rollout(problem_id=f"p{n}") for n in range(300)], benchmark="arithmetic")
    index = open_index(made.path, measured=False)
    found = groups(index, select(index, Filters()), by="problem")
    assert (len(found.rows), found.total) == (MOST_GROUPS, 300)
