"""Rows that overlap with benchmarks, with each hit on record.

A row is dropped if its question is that of a benchmark: exactly, but for typesetting (`normalised`) or in its letters
and digits (`alphanumeric`, which also takes 22.5 for 225: a false alarm costs a row, a miss a score); or if they share
n-grams: at least `drop_overlap` of those of the shorter one, with all its numbers in the longer one, or nearly all
n-grams if it has no number. Otherwise it is kept and listed as a suspect from `list_overlap` on. Every benchmark's data
must be there: a missing one is an error.

Overlap of n-grams as the sign of contamination: Brown et al. 2020 (GPT-3, appendix C); the share of them: Lambert et
al. 2024 (Tulu 3, section 3.2).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from orz_bench.records.curated import Pair
from orz_bench.records.rollout import Problem
from orz_rl.curation.benchmark_questions import BenchmarkQuestions
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import DecontaminateSettings
from orz_rl.curation.stages.stage import Decide, Parts
from orz_rl.curation.texts import NGrams, alphanumeric_key, match_key, ngrams, numbers, tokens, tokens_of

_FEWEST = 6
"""N-grams that a row must have for its share to count: a short sentence is in many questions. A benchmark's question of
fewer n-grams must have exactly the numbers of the row: 1 + 2 + 3 is in 1 + 2 + 3 + 4."""
_WITHOUT_NUMBERS = 0.95
"""The overlap that a question without numbers needs: short ones of one template differ in a word."""
_MOST_SUSPECTS = 3
"""Suspects that are listed for one row, the closest first."""
SUSPECT = "suspect"


@dataclass(frozen=True, slots=True)
class Decontaminate:
    """The stage."""

    settings: DecontaminateSettings
    questions: BenchmarkQuestions
    name: str = "decontaminate"
    is_local: bool = True

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; looks at the benchmarks, at no row before."""
        del incoming, scratch
        index = Index(self.questions.problems, n=self.settings.ngram)
        yield lambda rows: self._decide(rows, index)

    def _decide(self, rows: Sequence[Row], index: Index) -> Outcome:
        outcome = Outcome([])
        hits = index.hits([row.question for row in rows], at_least=self.settings.list_overlap)
        for row, found in zip(rows, hits, strict=True):
            sure = [each for each in found if each.is_sure or self._is_certain(row, each, index=index)]
            outcome.fates.append(_fate(row, sure, index=index))
            listed = sure or found[:_MOST_SUSPECTS]
            outcome.pairs.extend(_pair(row, each, index=index, is_dropped=bool(sure)) for each in listed)
        return outcome

    def _is_certain(self, row: Row, hit: Hit, *, index: Index) -> bool:
        if hit.overlap < self.settings.drop_overlap:
            return False
        shorter, longer = sorted((numbers(tokens_of(row.question)), index.numbers(hit.place)), key=len)
        if index.is_short(hit.place) and shorter != longer:
            return False
        if not shorter:
            return hit.overlap >= _WITHOUT_NUMBERS
        return Counter(shorter) <= Counter(longer)


@dataclass(frozen=True, slots=True)
class Hit:
    """A question of a benchmark that a row overlaps with."""

    place: int
    """Of the question, among all."""
    method: str
    overlap: float

    @property
    def is_sure(self) -> bool:
        """Whether it is the same question."""
        return self.method != "ngram"


@dataclass(slots=True)
class Index:
    """The questions of benchmarks by text, by key and by n-gram."""

    problems: Sequence[Problem]
    n: int
    texts: Mapping[str, list[int]] = field(init=False)
    keys: Mapping[bytes, list[int]] = field(init=False)
    letters: Mapping[bytes, list[int]] = field(init=False)
    _sizes: npt.NDArray[np.int64] = field(init=False)
    _hashes: npt.NDArray[np.uint64] = field(init=False)
    _owners: npt.NDArray[np.int64] = field(init=False)
    _numbers: dict[int, tuple[str, ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read every question once."""
        questions = [problem.question for problem in self.problems]
        texts: dict[str, list[int]] = defaultdict(list)
        keys: dict[bytes, list[int]] = defaultdict(list)
        letters: dict[bytes, list[int]] = defaultdict(list)
        for place, question in enumerate(questions):
            texts[question.strip()].append(place)
            keys[match_key(tokens(question))].append(place)
            if (key := alphanumeric_key(question)) is not None:
                letters[key].append(place)
        self.texts, self.keys, self.letters = texts, keys, letters
        grams = ngrams([tokens_of(question) for question in questions], self.n)
        order = np.argsort(grams.flat, kind="stable")
        self._sizes, self._hashes, self._owners = grams.sizes, grams.flat[order], grams.owners[order]

    def numbers(self, place: int) -> tuple[str, ...]:
        """Those of a question."""
        if place not in self._numbers:
            self._numbers[place] = numbers(tokens_of(self.problems[place].question))
        return self._numbers[place]

    def is_short(self, place: int) -> bool:
        """Whether a question has few n-grams."""
        return bool(self._sizes[place] < _FEWEST)

    def hits(self, questions: Sequence[str], *, at_least: float) -> list[list[Hit]]:
        """For each text the questions it overlaps with, the closest first."""
        grams = ngrams([tokens_of(question) for question in questions], self.n)
        by_ngrams = self._by_ngrams(grams, at_least=at_least)
        found = []
        for number, question in enumerate(questions):
            same: dict[int, Hit] = {}
            for place in self.letters.get(alphanumeric_key(question) or b"", ()):
                same[place] = Hit(place, "alphanumeric", 1.0)
            for place in self.keys.get(match_key(tokens(question)), ()):
                same[place] = Hit(place, "normalised", 1.0)
            for place in self.texts.get(question.strip(), ()):
                same[place] = Hit(place, "exact", 1.0)
            others = [hit for hit in by_ngrams.get(number, ()) if hit.place not in same]
            found.append([*same.values(), *sorted(others, key=lambda hit: (-hit.overlap, hit.place))])
        return found

    def _by_ngrams(self, grams: NGrams, *, at_least: float) -> dict[int, list[Hit]]:
        first = np.searchsorted(self._hashes, grams.flat, side="left")
        counts = np.searchsorted(self._hashes, grams.flat, side="right") - first
        places = np.repeat(first, counts) + _within(counts)
        pairs = np.repeat(grams.owners, counts) * len(self.problems) + self._owners[places]
        pairs, shared = np.unique(pairs, return_counts=True)
        rows, questions = np.divmod(pairs, max(1, len(self.problems)))
        of_row = grams.sizes[rows]
        overlap = np.maximum(shared / self._sizes[questions], np.where(of_row >= _FEWEST, shared / of_row, 0))
        found: dict[int, list[Hit]] = defaultdict(list)
        for at in np.flatnonzero(overlap >= at_least):
            found[int(rows[at])].append(Hit(int(questions[at]), "ngram", round(float(overlap[at]), 4)))
        return found


def _within(counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """0, 1, ... for each count, one after the other."""
    ends = np.cumsum(counts)
    found: npt.NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return found


def _fate(row: Row, sure: Sequence[Hit], *, index: Index) -> Fate:
    if not sure:
        return Fate(row=row)
    first = index.problems[sure[0].place]
    evidence = {
        "benchmark": first.benchmark,
        "id": first.problem_id,
        "method": sure[0].method,
        "overlap": sure[0].overlap,
        "also": [f"{index.problems[hit.place].benchmark}:{index.problems[hit.place].problem_id}" for hit in sure[1:]],
    }
    return Fate(row=row, reason="contaminated", evidence=evidence)


def _pair(row: Row, hit: Hit, *, index: Index, is_dropped: bool) -> Pair:
    problem = index.problems[hit.place]
    return Pair(
        stage="decontaminate",
        method=hit.method,
        similarity=hit.overlap,
        verdict="dropped" if is_dropped else SUSPECT,
        id=row.id,
        source=row.source,
        question=row.question,
        answer=row.answer,
        other_id=problem.problem_id,
        other_source=problem.benchmark,
        other_question=problem.question,
        other_answer=problem.gold,
    )
