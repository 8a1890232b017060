"""Rows and pairs that filters let through, against the same in plain Python on all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.curated import fates, pairs
from app.curated.cards import known_of
from app.curated.fates import fates_of
from app.curated.pairs import Pair, pairs_file, pairs_of
from app.curated.sets import SetFolders
from app.curated.state import DataState
from orz_bench.records.curated import FATES, PAIR_COLUMNS, PAIRS
from tests.support.app_runs import HOSTILE

STAGES = ("read", "decontaminate", "exact", "near", "mix", "nothing")
REASONS = ("contaminated", "duplicate", "near_duplicate", "no_answer", "")
TEXTS = ("", "DAYS", "tom", "days do 1", "(", "\\", "%", "_", "'", "14", "no answer", "ä", "\u202e", "hacked = 2")


def _rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def _contains(text: str, values: list[str]) -> bool:
    return not text or any(text.lower() in value.lower() for value in values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stage=st.lists(st.sampled_from(STAGES), max_size=2, unique=True),
    reason=st.lists(st.sampled_from(REASONS), max_size=2, unique=True),
    fate=st.sampled_from(["", "kept", "dropped"]),
    text=st.sampled_from(TEXTS),
)
def test_rows_that_the_filters_let_through(
    mix: Path, stage: list[str], reason: list[str], fate: Any, text: str
) -> None:
    state = DataState(stage=tuple(stage), reason=tuple(reason), fate=fate, text=text)
    wanted = [
        number
        for number, row in enumerate(_rows(mix / FATES))
        if (not stage or row["stage"] in stage)
        and (not reason or row["reason"] in reason)
        and (not fate or row["fate"] == fate)
        and _contains(text, [row["question"], row["answer"], row["id"]])
    ]
    assert fates.matching(fates_of(mix), state).tolist() == wanted
    shown = fates.rows_at(fates_of(mix), wanted[:3])
    assert [(row.id, row.question, row.evidence) for row in shown] == [
        (row["id"], row["question"], row["evidence"]) for row in (_rows(mix / FATES)[place] for place in wanted[:3])
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    view=st.sampled_from(["pairs", "benchmarks"]),
    verdict=st.lists(st.sampled_from(["dropped", "duplicate", "other numbers"]), max_size=2, unique=True),
    judged=st.sampled_from(["", "open", "same", "different", "unsure"]),
    similar=st.sampled_from(["", "most", "least"]),
    text=st.sampled_from(TEXTS),
)
def test_pairs_that_the_filters_let_through(
    mix: Path, view: Any, verdict: list[str], judged: Any, similar: Any, text: str
) -> None:
    rows = _rows(mix / PAIRS)
    all_pairs = pairs.pairs_at(pairs_file(mix), range(len(rows)))
    said = {all_pairs[2].hash: "same", all_pairs[3].hash: "different", "0" * 32: "unsure"}
    state = DataState(view=view, outcome=tuple(verdict), judged=judged, similar=similar, text=text)
    wanted = [
        pair.place
        for pair in all_pairs
        if pair.is_of_benchmark == (view == "benchmarks")
        and (not verdict or pair.verdict in verdict)
        and (not judged or (said.get(pair.hash) or "open") == judged)
        and _contains(
            text, [pair.question, pair.answer, pair.id, pair.other_question, pair.other_answer, pair.other_id]
        )
    ]
    if similar:
        sign = -1 if similar == "most" else 1
        wanted.sort(key=lambda place: sign * rows[place]["similarity"])
    assert pairs.matching(pairs_file(mix), state, judged=said).tolist() == wanted


def test_every_row_is_found_by_what_names_it(mix: Path) -> None:
    table = fates_of(mix)
    for place, row in enumerate(_rows(mix / FATES)):
        for name in (row["id"], f"{row['source']}:{row['row']}", f"#{place}"):
            assert fates.place_of(table, name) == place, name
    for name in ("web", "web:line", "#9999", "#-1", "#1e3", "#", "", "line 1", "'", HOSTILE[:-1]):
        assert fates.place_of(table, name) is None, name


def test_counts_are_those_of_the_rows_and_of_the_card(mix: Path) -> None:
    counts = fates.counts_of(fates_of(mix))
    assert sum(each.num_rows for each in counts) == len(_rows(mix / FATES))
    (entry,) = (one for one in SetFolders({"data": mix.parent}).sets() if one.path == mix)
    known = known_of(entry)
    by_reason = {(each.stage, each.reason): each.num_rows for each in counts if each.fate == "dropped"}
    assert by_reason == {(stage.name, reason): n for stage in known.stages for reason, n in stage.reasons.items()}
    of_pairs = pairs.counts_of(pairs_file(mix))
    assert sum(of_pairs.values()) == len(_rows(mix / PAIRS))


@pytest.mark.parametrize("id_", ["tom", "tim", "sum", HOSTILE])
def test_the_pairs_of_a_row(mix: Path, id_: str) -> None:
    wanted = [row for row in _rows(mix / PAIRS) if id_ in (row["id"], row["other_id"])]
    found = pairs_of(pairs_file(mix), id_=id_, source="web")
    assert [(pair.id, pair.other_id) for pair in found] == [(row["id"], row["other_id"]) for row in wanted]
    assert found
    assert pairs_of(pairs_file(mix), id_=id_, source="another") == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_the_hash_of_a_pair_is_that_of_its_texts_in_either_order(tmp_path: Path, texts: list[tuple[str, str]]) -> None:
    nothing = dict.fromkeys(PAIR_COLUMNS.names, "") | {"similarity": 0.5}
    rows = [nothing | {"question": one, "other_question": other} for one, other in texts]
    rows += [nothing | {"question": other, "other_question": one} for one, other in texts]
    pq.write_table(PAIR_COLUMNS.empty_table().from_pylist(rows, schema=PAIR_COLUMNS), tmp_path / PAIRS)
    table = pairs_file(tmp_path)
    found: list[Pair] = pairs.pairs_at(table, range(len(rows)))
    for number, pair in enumerate(found):
        first = pairs.place_of(table, pair.hash)
        assert first is not None
        assert {rows[first]["question"], rows[first]["other_question"]} == {pair.question, pair.other_question}
        assert pair.hash == found[(number + len(texts)) % len(rows)].hash
    assert pairs.place_of(table, "f" * 32) is None
