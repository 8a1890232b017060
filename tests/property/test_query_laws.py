"""Filters, orders, paging, searches and facets against loops over all rows in Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.texts.reasoning import calculates, num_reasoning_chars, thought_of
from analysis.texts.reflection import counted_matches
from analysis.texts.repetition import find_loop
from app.queries.filters import Filters
from app.queries.index import RunIndex
from app.queries.keys import RowKey
from app.queries.measures import ends_in_gold, holds_gold, lexicon
from app.queries.reasons import REASONS
from app.queries.rows import key_at, page, place_of
from app.queries.search import Pattern, spans
from app.queries.selection import facets, select
from orz_bench.records.rollout import VERDICTS, Rollout
from tests.support.app_runs import WORDS, open_index, random_run


class Known:
    def __init__(self, index: RunIndex, rows: dict[RowKey, Rollout], num_same: dict[RowKey, int]) -> None:
        self.index, self.rows, self.num_same = index, rows, num_same


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder: Path = tmp_path_factory.mktemp("laws")
    run, rows = random_run(folder / "run")
    by_key = {
        RowKey(row.benchmark, row.step, fingerprint, row.problem_id, row.sample_index): row
        for _, fingerprint, row in rows
    }
    assert len(by_key) == len(rows)
    same = Counter((key.kind, key.step, key.benchmark, key.problem_id, row.completion) for key, row in by_key.items())
    num_same = {
        key: same[key.kind, key.step, key.benchmark, key.problem_id, row.completion] for key, row in by_key.items()
    }
    return Known(open_index(run.path), by_key, num_same)


@cache
def loops(text: str) -> bool:
    return find_loop(text) is not None


def reasons_of(known: Known, key: RowKey) -> set[str]:
    row = known.rows[key]
    right = row.verdict == "correct"
    rewarded = None if row.reward is None else row.reward > 0
    holds = {
        "reward_disagrees": rewarded is not None and rewarded != (right and row.stop_reason != "length"),
        "right_by_second": row.second_verdict == "correct" and not right,
        "gold_at_end": bool(ends_in_gold(row.completion, row.gold)) and not right,
        "gold_in_text": bool(holds_gold(row.completion, row.gold)) and not right,
        "extractors_differ": right != (row.second_verdict == "correct"),
        "no_reasoning": right and is_bare(row.completion, row.question),
        "not_graded": row.verdict in ("unparseable", "timeout", "error"),
        "loop": loops(row.completion),
        "duplicate": known.num_same[key] > 1,
        "truncated": row.stop_reason == "length",
    }
    return {name for name, value in holds.items() if value}


def is_bare(text: str, question: str) -> bool:
    thought = thought_of(text)
    return num_reasoning_chars(thought) < 20 and not calculates(thought) and not num_reflections_of(text, question)


@cache
def num_reflections_of(text: str, question: str) -> int:
    return len(counted_matches(text, lexicon(), question=question))


def num_reflections(row: Rollout) -> int:
    return num_reflections_of(row.completion, row.question)


def num_hits(filters: Filters, row: Rollout) -> int:
    flags = re.IGNORECASE if filters.ignores_case else 0
    expression = filters.text if filters.mode == "regex" else re.escape(filters.text)
    return sum(1 for found in re.finditer(expression, row.completion, flags) if found[0])


def matches(known: Known, key: RowKey, *, filters: Filters) -> bool:
    row = known.rows[key]
    differ = (row.verdict == "correct") != (row.second_verdict == "correct")
    return all(
        (
            filters.kind in ("", key.kind),
            not filters.bench or row.benchmark in filters.bench,
            not filters.step or row.step in filters.step,
            not filters.verdicts or row.verdict in filters.verdicts,
            not filters.stop_reasons or row.stop_reason in filters.stop_reasons,
            not filters.problem or row.problem_id == filters.problem,
            filters.min_tokens is None or row.num_tokens >= filters.min_tokens,
            filters.max_tokens is None or row.num_tokens <= filters.max_tokens,
            filters.min_reflections is None or num_reflections(row) >= filters.min_reflections,
            filters.extractors == "" or differ == (filters.extractors == "differ"),
            not filters.reasons or bool(reasons_of(known, key) & set(filters.reasons)),
            not filters.text or num_hits(filters, row) > 0,
        )
    )


def ordered(known: Known, filters: Filters) -> list[RowKey]:
    keys = [key for key in known.rows if matches(known, key, filters=filters)]
    # Folders of a step: each evaluation, then training, in which both benchmarks stand together.
    keys.sort(key=lambda k: (k.step, k.kind == "train", k.benchmark, k.problem_id, k.sample_index))

    def number(key: RowKey) -> Any:
        row = known.rows[key]
        found = sorted(n for n, reason in enumerate(REASONS) if reason.name in reasons_of(known, key))
        return {
            "step": row.step,
            "problem": row.problem_id,
            "tokens": row.num_tokens,
            "reward": row.reward,
            "reflections": num_reflections(row),
            "suspicion": found[0] if found else None,
            "hits": num_hits(filters, row) if filters.text else None,
        }[filters.order]

    present = [key for key in keys if number(key) is not None]
    # Stable both ways: rows of the same number keep the order of their keys.
    groups: dict[Any, list[RowKey]] = {}
    for key in present:
        groups.setdefault(number(key), []).append(key)
    in_order = [key for value in sorted(groups, reverse=filters.descending) for key in groups[value]]
    return in_order + [key for key in keys if number(key) is None]


def some(values: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


FILTERS = st.builds(
    Filters,
    kind=st.sampled_from(["", "eval", "train"]),
    bench=some(["bench0", "bench1", "none"]),
    step=some([0, 1, 2]),
    verdicts=some(VERDICTS),
    stop_reasons=some(["eos", "length"]),
    min_tokens=st.none() | st.integers(0, 13),
    max_tokens=st.none() | st.integers(0, 13),
    min_reflections=st.none() | st.integers(0, 2),
    extractors=st.sampled_from(["", "differ", "agree"]),
    reasons=some([reason.name for reason in REASONS]),
    problem=st.sampled_from(["", "", "p1"]),
    text=st.sampled_from(["", "", "", *WORDS]),
    ignores_case=st.booleans(),
    order=st.sampled_from(["step", "problem", "tokens", "reward", "reflections", "suspicion", "hits"]),
    descending=st.booleans(),
)


@settings(max_examples=80)
@given(filters=FILTERS, offset=st.integers(0, 100), limit=st.integers(1, 30))
def test_a_page_is_a_slice_of_the_ordered_rows(known: Known, filters: Filters, offset: int, limit: int) -> None:
    wanted = ordered(known, filters)
    selection = select(known.index, filters)
    assert selection.total == len(wanted)
    shown = page(known.index, selection, offset=offset, limit=limit)
    assert [row.key for row in shown] == wanted[offset : offset + limit]
    for row in shown:
        rollout = known.rows[row.key]
        assert (row.verdict, row.num_tokens, row.reward) == (rollout.verdict, rollout.num_tokens, rollout.reward)
        assert set(row.reasons) == reasons_of(known, row.key)
        assert row.num_same == known.num_same[row.key]
        assert row.num_hits == (num_hits(filters, rollout) if filters.text else None)
    if filters.text:
        assert selection.num_hits == sum(num_hits(filters, known.rows[key]) for key in wanted)


@settings(max_examples=20)
@given(filters=FILTERS)
def test_neighbours_are_those_of_the_ordered_rows(known: Known, filters: Filters) -> None:
    wanted = ordered(known, filters)
    selection = select(known.index, filters)
    for place in range(0, len(wanted), 17):
        found = place_of(known.index, selection, key=wanted[place])
        assert found is not None
        assert found.place == place
        assert found.previous == (wanted[place - 1] if place else None)
        assert found.next == (wanted[place + 1] if place + 1 < len(wanted) else None)
        assert key_at(known.index, selection, place=place) == wanted[place]
    assert key_at(known.index, selection, place=len(wanted)) is None
    others = [key for key in known.rows if key not in set(wanted)]
    assert not others or place_of(known.index, selection, key=others[0]) is None


@settings(max_examples=20)
@given(filters=FILTERS)
def test_facets_count_under_the_other_filters(known: Known, filters: Filters) -> None:
    counted = facets(known.index, select(known.index, filters))

    def count(loose: Filters) -> Iterator[tuple[RowKey, Rollout]]:
        return ((key, row) for key, row in known.rows.items() if matches(known, key, filters=loose))

    verdicts = Counter(row.verdict for _, row in count(replace(filters, verdicts=())))
    assert counted["verdict"] == dict(verdicts)
    steps = Counter(str(row.step) for _, row in count(filters if filters.text else replace(filters, step=())))
    assert counted["step"] == dict(steps)
    reasons = Counter(name for key, _ in count(replace(filters, reasons=())) for name in reasons_of(known, key))
    assert {name: number for name, number in counted["reasons"].items() if number} == dict(reasons)


EXPRESSIONS = ("wait|however", r"\d+", r"\bt\w*", "(a|b)+", r"[^ ]+,", "^so", "x?", r"\\boxed\{7\}")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_match_what_pythons_do(known: Known, expression: str) -> None:
    """Where both languages mean the same."""
    filters = Filters(text=expression, mode="regex", ignores_case=False)
    selection = select(known.index, filters)
    wanted = {key: hits for key, row in known.rows.items() if (hits := num_hits(filters, row))}
    assert selection.total == len(wanted)
    assert selection.num_hits == sum(wanted.values())


@given(
    text=st.text(st.sampled_from("ab,äÄ\n\U000f0000 "), max_size=40),
    expression=st.sampled_from([*EXPRESSIONS, "a", "ä", "b+", "(?s).", r"a\b"]),
    ignores_case=st.booleans(),
)
def test_spans_are_those_of_the_expression(text: str, expression: str, ignores_case: bool) -> None:
    filters = Filters(text=expression, mode="regex", ignores_case=ignores_case)
    pattern = Pattern.of(filters)
    assert pattern is not None
    flags = re.ASCII | (re.IGNORECASE if ignores_case else 0)
    if ignores_case and not text.isascii():
        return
    wanted = [found.span() for found in re.finditer(expression, text, flags) if found[0]]
    assert [(span.start, span.end) for span in spans(text, pattern)] == wanted


@given(
    text=st.text(st.sampled_from("aAb.*[\\\0"), max_size=30),
    wanted=st.text(st.sampled_from("aAb.*[\\\0"), min_size=1, max_size=3),
)
@pytest.mark.parametrize("ignores_case", [True, False])
def test_literal_spans_hold_the_text(text: str, wanted: str, ignores_case: bool) -> None:
    pattern = Pattern.of(Filters(text=wanted, ignores_case=ignores_case))
    assert pattern is not None
    flags = re.IGNORECASE if ignores_case else 0
    expected = [found.span() for found in re.finditer(re.escape(wanted), text, flags)]
    assert [(span.start, span.end) for span in spans(text, pattern)] == expected
