"""The pairs of similar texts of a set: two rows, or a row and a question of a benchmark.

A pair is known by the hash of its two questions, in either order: what a person has said about it holds in every set
that has these texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.curated.state import DataState
from app.curated.tables import Condition, Places, TableFile, among, containing
from orz_bench.records import curated as records
from orz_bench.records.curated import DECONTAMINATE, PAIR_COLUMNS, PAIRS

_HASH = (
    "substr(sha256(least(sha256(question), sha256(other_question)) || greatest(sha256(question), "
    "sha256(other_question))), 1, 32)"
)
"""Pair.hash in SQL."""
MOST_OF_ROW = 50
"""Pairs of one row that are shown."""
_ORDERS = {"": "", "most": "similarity DESC NULLS LAST", "least": "similarity ASC NULLS LAST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(records.Pair):
    """A line of pairs.parquet, and its place in the file."""

    place: int

    @property
    def hash(self) -> str:
        """32 hexadecimal digits that depend on the two questions alone."""
        one, other = sorted(_sha256(text) for text in (self.question, self.other_question))
        return _sha256(one + other)[:32]

    @property
    def is_of_benchmark(self) -> bool:
        """Whether the other text is a question of a benchmark."""
        return self.stage == DECONTAMINATE


def pairs_file(folder: Path) -> TableFile:
    """The table of a set."""
    return TableFile(folder / PAIRS, PAIR_COLUMNS)


def matching(table: TableFile, state: DataState, *, judged: Mapping[str, str]) -> Places:
    """The places of the pairs that the filters let through. `judged`: what people have said, by the pair's hash."""
    is_benchmark = Condition("stage = ?", (DECONTAMINATE,))
    conditions = [
        is_benchmark if state.view == "benchmarks" else Condition("stage IS DISTINCT FROM ?", (DECONTAMINATE,))
    ]
    conditions += [*among("verdict", state.outcome), *among("stage", state.stage)]
    if state.source:
        either = among("source", state.source)[0]
        conditions.append(
            Condition(f"{either.sql} OR {either.sql.replace('source', 'other_source', 1)}", either.parameters * 2)
        )
    conditions += _judged(state.judged, judged)
    conditions += containing(state.text, ("question", "answer", "id", "other_question", "other_answer", "other_id"))
    return table.places(conditions, order=_ORDERS[state.similar])


def _judged(wanted: str, judged: Mapping[str, str]) -> list[Condition]:
    """The condition on what people have said; none for no wish."""
    if not wanted:
        return []
    hashes = [hash_ for hash_, said in judged.items() if wanted in ("open", said)]
    sql = f"list_contains(?::VARCHAR[], {_HASH})"
    return [Condition(f"NOT {sql}" if wanted == "open" else sql, (hashes,))]


def pairs_at(table: TableFile, places: Sequence[int]) -> list[Pair]:
    """These pairs."""
    return [Pair(**values) for values in table.rows(places)]


def place_of(table: TableFile, hash_: str) -> int | None:
    """The first place of a pair; None if the set does not have it."""
    found = table.places([Condition(f"{_HASH} = ?", (hash_,))])
    return int(found[0]) if len(found) else None


def pairs_of(table: TableFile, *, id_: str, source: str) -> list[Pair]:
    """The pairs of a row, on either side. Questions of benchmarks may have the ids of rows."""
    sql = "(id = ? AND source = ?) OR (other_id = ? AND other_source = ?)"
    return pairs_at(table, table.places([Condition(sql, (id_, source) * 2)])[:MOST_OF_ROW].tolist())


def counts_of(table: TableFile) -> dict[tuple[str, str, str], int]:
    """Number of pairs by (stage, verdict, source)."""
    return {
        (stage, verdict, source): number
        for stage, verdict, source, number in table.counts(("stage", "verdict", "source"))
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
