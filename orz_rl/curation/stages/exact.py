"""Duplicates that differ in typesetting only, and questions whose golds contradict each other.

Of equal questions with equal golds the first is kept. Where the golds differ, at least one is wrong and nobody knows
which, so all of them are dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orz_bench.records.curated import Pair
from orz_rl.curation.golds import GoldComparison
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.stages.stage import Decide, Parts
from orz_rl.curation.texts import match_key, tokens


@dataclass(frozen=True, slots=True)
class Exact:
    """The stage."""

    name: str = "exact"
    is_local: bool = False

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; looks at the keys of all rows, then at the golds of equal ones."""
        del scratch
        numbers, keys = _keys(incoming)
        repeated = _repeated(numbers, keys)
        groups: dict[int, list[Row]] = defaultdict(list)
        for rows in incoming:
            for row in rows:
                if (group := repeated.get(row.number)) is not None:
                    groups[group].append(row)
        with GoldComparison() as golds:
            fates = _fates_of([*groups.values()], golds)
        yield lambda rows: _outcome(rows, fates)


@dataclass(frozen=True, slots=True)
class _Duplicate:
    other: Row
    is_contradiction: bool


def _keys(incoming: Parts) -> tuple[list[int], list[bytes]]:
    numbers: list[int] = []
    keys: list[bytes] = []
    for rows in incoming:
        numbers += [row.number for row in rows]
        keys += [match_key(tokens(row.question)) for row in rows]
    return numbers, keys


def _repeated(numbers: Sequence[int], keys: Sequence[bytes]) -> Mapping[int, int]:
    """Row's number -> its group, for rows whose key is that of another row."""
    packed = np.frombuffer(b"".join(keys), dtype=[("high", ">u8"), ("low", ">u8")])
    _, groups, counts = np.unique(packed, return_inverse=True, return_counts=True)
    places = np.flatnonzero(counts[groups] > 1)
    return {numbers[place]: int(groups[place]) for place in places}


def _fates_of(groups: Sequence[Sequence[Row]], golds: GoldComparison) -> Mapping[int, _Duplicate]:
    pairs = [(group[0].answer, row.answer) for group in groups for row in group[1:]]
    equal = golds.equal(pairs)
    fates: dict[int, _Duplicate] = {}
    for group in groups:
        first, *others = group
        different = next((row for row in others if not equal[first.answer, row.answer]), None)
        if different is None:
            fates |= {row.number: _Duplicate(first, is_contradiction=False) for row in others}
            continue
        for row in group:
            other = different if equal.get((first.answer, row.answer), row is first) else first
            fates[row.number] = _Duplicate(other, is_contradiction=True)
    return fates


def _outcome(rows: Sequence[Row], fates: Mapping[int, _Duplicate]) -> Outcome:
    outcome = Outcome([])
    for row in rows:
        found = fates.get(row.number)
        if found is None:
            outcome.fates.append(Fate(row=row))
            continue
        reason = "contradictory_golds" if found.is_contradiction else "duplicate"
        outcome.fates.append(
            Fate(
                row=row, reason=reason, evidence={"of": found.other.id, "gold": row.answer, "other": found.other.answer}
            )
        )
        outcome.pairs.append(
            Pair(
                stage="exact",
                method="exact" if row.question == found.other.question else "normalised",
                similarity=1.0,
                verdict=reason,
                id=row.id,
                source=row.source,
                question=row.question,
                answer=row.answer,
                other_id=found.other.id,
                other_source=found.other.source,
                other_question=found.other.question,
                other_answer=found.other.answer,
            )
        )
    return outcome
