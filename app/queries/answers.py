"""Extracted answers as classes: how often each was given at every checkpoint, and which one has the majority.

The classes are those of maj@n (docs/statistics.md): all correct answers are one, however they are spelled; others are
equal if their text without spaces is. Samples without an answer are counted, and win no vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from app.queries.index import RunIndex
from app.queries.keys import natural
from orz_bench.errors import DataError

MOST_CHARS = 200
"""Of an answer, as it is shown."""


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """A class of answers."""

    text: str | None
    """How the answer is written most often; None for no answer."""
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """The answers to a question at one step of a series."""

    problem_id: str
    fingerprint: str
    step: int
    gold: str
    counts: Mapping[Answer, int]
    num_ungraded: int = 0

    @property
    def total(self) -> int:
        """Number of samples."""
        return sum(self.counts.values())

    @property
    def majority(self) -> Answer | None:
        """The most frequent answer; None for a tie, or without an answer."""
        given = sorted(((count, answer) for answer, count in self.counts.items() if answer.text is not None or
                        answer.is_right), key=lambda one: -one[0])  # fmt: skip
        is_tied = len(given) > 1 and given[0][0] == given[1][0]
        return given[0][1] if given and not is_tied else None


def votes(index: RunIndex, benchmark: str, *, problem_id: str | None = None) -> list[Votes]:
    """The answers to a question, or to all of a benchmark, by question, series and step; incomplete steps too.

    DataError if a part has been deleted meanwhile.
    """
    rows = _rows(index, benchmark, problem_id=problem_id)
    spelled: dict[tuple[str, str], Counter[str]] = {}
    found: dict[tuple[str, str, int], Counter[str]] = {}
    golds: dict[str, str] = {}
    ungraded: Counter[tuple[str, str, int]] = Counter()
    for problem, fingerprint, step, gold, text, verdict, count in rows:
        name = "=" if verdict == "correct" else "" if text is None else "x" + "".join(text.split())
        spelled.setdefault((problem, name), Counter())[text or ""] += count
        found.setdefault((problem, fingerprint, step), Counter())[name] += count
        golds.setdefault(problem, gold or "")
        ungraded[problem, fingerprint, step] += count * (verdict is None)
    return [
        Votes(
            problem_id=problem,
            fingerprint=fingerprint,
            step=step,
            gold=golds[problem],
            counts={_answer(name, spelled[problem, name]): count for name, count in counts.items()},
            num_ungraded=ungraded[problem, fingerprint, step],
        )
        for (problem, fingerprint, step), counts in found.items()
    ]


def _answer(name: str, spellings: Counter[str]) -> Answer:
    text = " ".join(spellings.most_common(1)[0][0].split())
    return Answer(None if name == "" else text[:MOST_CHARS], is_right=name == "=")


def _rows(index: RunIndex, benchmark: str, *, problem_id: str | None) -> list[tuple[Any, ...]]:
    cursor = index.cursor()
    where, values = "benchmark = ? AND (? IS NULL OR problem_id = ?)", [benchmark, problem_id, problem_id]
    parts = cursor.execute(
        f"SELECT DISTINCT path FROM rollouts JOIN parts USING (part) WHERE {where}", values
    ).fetchall()
    if not parts:
        return []
    parquet = "filename = true, file_row_number = true, hive_partitioning = false"
    texts = f"SELECT filename, file_row_number, gold, extracted FROM read_parquet(?, {parquet})"
    only = " WHERE problem_id = ?" if problem_id is not None else ""
    try:
        return cursor.execute(
            f"WITH counts AS (SELECT problem_id, fingerprint, step, any_value(gold) AS gold, extracted, verdict, "
            f"count(*) AS num FROM (SELECT * FROM rollouts WHERE {where}) r JOIN parts USING (part) "
            f'JOIN ({texts}{only}) p ON p.filename = parts.path AND p.file_row_number = r."row" GROUP BY ALL) '
            f"FROM counts ORDER BY {natural('problem_id')}, fingerprint = '', fingerprint, step, extracted, verdict",
            [*values, [path for (path,) in parts], *([problem_id] if problem_id is not None else [])],
        ).fetchall()
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DataError(f"{index.run}: rollouts are no longer on disk, or damaged; reload the page.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A question whose majority is the same wrong answer at the last checkpoints: a wrong gold, or a shared mistake."""

    problem_id: str
    gold: str
    answer: str
    since: int
    """The first of these checkpoints, as a number in the sequence."""
    num_columns: int
    """Number of these checkpoints."""
    share: float
    """Samples with the answer at the last checkpoint / all of them."""


def agreed(
    votes_by_problem: Mapping[str, Sequence[Votes]], *, least: int = 2, is_everywhere: bool = False
) -> list[Agreed]:  # fmt: skip
    """The questions whose majority is wrong and stable, from at least `least` checkpoints; the clearest first.

    `votes_by_problem`: the votes of each question at the checkpoints in their order. `is_everywhere`: only those with
    the same majority at all of them, which is what stable means for checkpoints without an order, of several runs.
    """
    all_of_them = [_agreed(problem, those, least=least) for problem, those in votes_by_problem.items()]
    found = [
        one
        for one in all_of_them
        if one is not None and not (is_everywhere and one.num_columns < len(votes_by_problem[one.problem_id]))
    ]
    return sorted(found, key=lambda one: (-one.share * one.num_columns, -one.share))


def _agreed(problem: str, those: Sequence[Votes], *, least: int) -> Agreed | None:
    answers = [one.majority for one in those]
    last = answers[-1] if answers else None
    if last is None or last.is_right or any(one.num_ungraded for one in those):
        return None
    number = next((n for n, answer in enumerate(reversed(answers)) if answer != last), len(answers))
    if number < least:
        return None
    share = those[-1].counts[last] / those[-1].total
    return Agreed(problem_id=problem, gold=those[-1].gold, answer=last.text or "", since=len(those) - number,
                  num_columns=number, share=share)  # fmt: skip
