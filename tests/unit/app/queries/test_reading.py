"""What the list and the reader show about a search, a gold, and columns that say nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from app.queries.filters import Filters
from app.queries.hit_shares import hit_shares
from app.queries.measures import ends_in_gold, holds_gold
from app.queries.rows import page
from app.queries.search import Pattern, context_of
from app.queries.selection import constants, select
from app.reader.gold import END_CHARS, gold_marks
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import open_index, random_run, write_evaluation
from tests.support.builders import a_rollout


@pytest.mark.parametrize("filters", [Filters(), Filters(step=(2,)), Filters(verdicts=("wrong",), step=(1, 2))])
@pytest.mark.parametrize("mode", ["literal", "regex"])
def test_the_shares_of_hits_are_those_of_the_rows(tmp_path: Path, filters: Filters, mode: str) -> None:
    """Of all steps, whichever is chosen."""
    run, rows = random_run(tmp_path / "run")
    index = open_index(run.path)
    found = hit_shares(index, replace(filters, text="wait,", mode=mode))  # type: ignore[arg-type]
    wanted: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for kind, _, row in rows:
        if not filters.verdicts or row.verdict in filters.verdicts:
            wanted[kind, row.step].append("wait," in row.completion.lower())
    assert {(one.kind, one.step): (one.num_hit, one.total) for one in found} == {
        at: (sum(hits), len(hits)) for at, hits in wanted.items()
    }
    assert hit_shares(index, filters) == []


@pytest.mark.parametrize(
    ("text", "pattern", "wanted"),
    [
        ("x" * 50 + "wait" + "y" * 50, Pattern("wait", False, False), "…" + "x" * 40 + "⟦wait⟧" + "y" * 40 + "…"),
        ("so WAIT", Pattern("wait", False, True), "so ⟦WAIT⟧"),
        ("a1b22", Pattern(r"\d+", True, False), "a⟦1⟧b22"),
        ("x" * 400, Pattern("x+", True, False), f"⟦{'x' * 120}⟧"),
        ("none", Pattern("wait", False, False), None),
    ],
)
def test_a_hit_in_its_context(text: str, pattern: Pattern, wanted: str | None) -> None:
    assert context_of(text, pattern) == wanted


@pytest.mark.parametrize(
    ("text", "gold", "at_end", "anywhere"),
    [
        ("The answer is (C).", "C", True, None),
        ("The answer is (C)." + " " * END_CHARS, "C", False, None),
        ("Choose Canada.", "C", False, None),
        ("so 7", "7", True, None),
        ("so 17", "7", False, None),
        ("so 7.5", "7", False, None),
        ("12 " + "x" * END_CHARS, "12", False, True),
        ("12 " + "x " * END_CHARS + "12", "12", True, True),
        ("anything", " ", None, None),
        ("anything", None, None, None),
    ],
)
def test_a_gold_at_the_end(text: str, gold: str | None, at_end: bool | None, anywhere: bool | None) -> None:
    assert ends_in_gold(text, gold) is at_end
    assert holds_gold(text, gold) is anywhere or (anywhere is None and not holds_gold(text, gold))
    marks = gold_marks(text, gold or "", is_at_end=True)
    assert bool(marks) == bool(at_end)
    assert all(text[mark.start : mark.end] == gold for mark in marks)


def test_likely_faults_of_the_grader_come_first(tmp_path: Path) -> None:
    """Right by the second extractor, then a gold at the end (of one letter too), then anywhere."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    far = "12 " + "x " * 200
    rows = [
        a_rollout(problem_id="anywhere", gold="12", completion=far, verdict="wrong", second_verdict="wrong"),
        a_rollout(problem_id="end", gold="B", completion="so (B)", verdict="wrong", second_verdict="wrong"),
        a_rollout(problem_id="second", gold="12", completion="-", verdict="wrong", second_verdict="correct"),
        a_rollout(problem_id="nothing", gold="12", completion="-", verdict="wrong", second_verdict="wrong"),
    ]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    index = open_index(run.path)
    found = page(index, select(index, Filters(order="suspicion")), offset=0, limit=9)
    assert [(row.key.problem_id, row.reasons[:1]) for row in found] == [
        ("second", ("right_by_second",)), ("end", ("gold_at_end",)), ("anywhere", ("gold_in_text",)), ("nothing", ()),
    ]  # fmt: skip


def test_constants_of_a_selection(tmp_path: Path) -> None:
    run, _ = random_run(tmp_path / "run")
    index = open_index(run.path)
    assert constants(index, select(index, Filters())) == {"group_graded": 4}
    found = constants(index, select(index, Filters(step=(2,), verdicts=("wrong",), kind="eval")))
    assert found["step"] == 2
    assert found["verdict"] == "wrong"
    assert "num_tokens" not in found
