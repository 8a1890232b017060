"""What follows from similar pairs of rows: which row is dropped, and which pairs are listed for a person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orz_bench.records.curated import Pair
from orz_rl.curation.golds import GoldComparison
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.stages.stage import Decide, Parts
from orz_rl.curation.texts import hash_of, numbers, tokens_of

DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two rows by their numbers, the earlier one last, and their similarity."""

    later: int
    earlier: int
    similarity: float


class DropsSimilar(ABC):
    """A stage that drops rows which repeat an earlier one; each way of finding similar rows is a subclass."""

    is_local = False
    name: ClassVar[str]
    method: ClassVar[str]
    """As in pairs.parquet."""

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; compares all rows."""
        scratch.mkdir(parents=True, exist_ok=True)
        candidates = list(self.candidates(incoming, scratch))
        with GoldComparison() as golds:
            decisions = decided(candidates, incoming, golds=golds)
        yield lambda rows: outcome_of(rows, decisions, stage=self.name, method=self.method)

    @abstractmethod
    def candidates(self, incoming: Parts, scratch: Path) -> Iterable[Candidate]:
        """The pairs of similar rows."""


@dataclass(frozen=True, slots=True)
class Similar:
    """An earlier row that is similar to a row, and what follows."""

    row: Row
    similarity: float
    verdict: str
    """`dropped`, `other numbers` or `other gold`."""


def decided(
    candidates: Sequence[Candidate], incoming: Parts, *, golds: GoldComparison
) -> Mapping[int, Sequence[Similar]]:
    """Row's number -> the earlier rows that it is similar to; where it is dropped, only the one that it repeats.

    Rows are decided in their order, and nothing repeats a row that is itself dropped.
    """
    involved = {number for each in candidates for number in (each.later, each.earlier)}
    rows = {row.number: row for part in incoming for row in part if row.number in involved}
    figures = {number: hash_of(numbers(tokens_of(row.question))) for number, row in rows.items()}
    repeats = [each for each in candidates if figures[each.later] == figures[each.earlier]]
    equal = golds.equal([(rows[each.earlier].answer, rows[each.later].answer) for each in repeats])
    by_row: dict[int, list[Candidate]] = defaultdict(list)
    for each in candidates:
        by_row[each.later].append(each)
    found: dict[int, list[Similar]] = {}
    dropped: set[int] = set()
    for number in sorted(by_row):
        similar = []
        for each in sorted(by_row[number], key=lambda one: (-one.similarity, one.earlier)):
            verdict = "other numbers"
            if figures[each.later] == figures[each.earlier]:
                is_equal = equal[rows[each.earlier].answer, rows[number].answer]
                verdict = DROPPED if is_equal else "other gold"
            if each.earlier not in dropped:
                similar.append(Similar(rows[each.earlier], each.similarity, verdict))
        repeated = next((each for each in similar if each.verdict == DROPPED), None)
        if repeated is not None:
            dropped.add(number)
            similar = [repeated]
        if similar:
            found[number] = similar
    return found


def outcome_of(rows: Sequence[Row], decisions: Mapping[int, Sequence[Similar]], *, stage: str, method: str) -> Outcome:
    """The fates of rows by these decisions, and their pairs."""
    outcome = Outcome([])
    for row in rows:
        similar = decisions.get(row.number, ())
        outcome.fates.append(_fate(row, similar))
        outcome.pairs.extend(_pair(row, each, stage=stage, method=method) for each in similar)
    return outcome


def _fate(row: Row, similar: Sequence[Similar]) -> Fate:
    repeated = next((each for each in similar if each.verdict == DROPPED), None)
    if repeated is None:
        return Fate(row=row)
    evidence = {"of": repeated.row.id, "similarity": round(repeated.similarity, 4)}
    return Fate(row=row, reason="near_duplicate", evidence=evidence)


def _pair(row: Row, similar: Similar, *, stage: str, method: str) -> Pair:
    return Pair(
        stage=stage,
        method=method,
        similarity=round(similar.similarity, 4),
        verdict=similar.verdict,
        id=row.id,
        source=row.source,
        question=row.question,
        answer=row.answer,
        other_id=similar.row.id,
        other_source=similar.row.source,
        other_question=similar.row.question,
        other_answer=similar.row.answer,
    )
