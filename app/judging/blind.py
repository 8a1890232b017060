"""Blind comparison of two checkpoints: pairs of their responses, which side is which hidden from the judge.

A judgement belongs to the two texts of a question, and says which text is better, never "left" or "A": it holds
whatever stands left, and in every comparison with this pair. Which sample of a question is shown follows from the
checkpoint and the question, so that all judges see the same pairs in the same order; which side is left follows from
the judge too.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from app.judging.agreement import sign_test
from app.judging.annotations import FILE_NAME, Annotations, Entry, RunIdentity
from app.queries.keys import Response, RowKey
from orz_bench.records.intervals import Interval, binomial_interval

BLIND = RunIdentity("blind comparisons", "blind", created="9999")
"""In the place of a run."""
PAIR_OF_TEXTS = "blind"
"""In the place of a benchmark."""
TIE, SKIP = "tie", "skip"
Choice = Literal["left", "right", "tie", "skip"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindPair:
    """Two responses to a question, one of each checkpoint, with the hashes of their texts."""

    benchmark: str
    problem_id: str
    a: RowKey
    b: RowKey
    hash_a: str
    hash_b: str

    @property
    def id(self) -> str:
        """The same for both orders of the checkpoints."""
        return _digest([self.benchmark, self.problem_id, *sorted((self.hash_a, self.hash_b))])

    def a_is_left(self, judge: str) -> bool:
        """Whether this judge sees the response of A on the left."""
        first_is_left = int(_digest([judge, self.id]), 16) % 2 == 0
        return (self.hash_a < self.hash_b) == first_is_left


def chosen_sample(samples: Sequence[int], *, checkpoint: str, problem_id: str) -> int:
    """The sample of a question at a checkpoint that is compared; any, but always the same."""
    return sorted(samples)[int(_digest([checkpoint, problem_id]), 16) % len(samples)]


def in_order(pairs: Iterable[BlindPair]) -> list[BlindPair]:
    """The pairs in the order in which they are judged: shuffled, the same for every judge."""
    return sorted(pairs, key=lambda pair: _digest([pair.benchmark, pair.problem_id]))


def blind_annotations(side: Path, *, judge: str) -> Annotations:
    """The judgements, in the file of annotations in `side`."""
    return Annotations(side / FILE_NAME, BLIND, author=judge)


def response_of(pair: BlindPair) -> Response:
    """What a judgement is about."""
    return Response(RowKey(PAIR_OF_TEXTS, 0, "", pair.id, 0), pair.id[:16])


def judge(kept: Annotations, pair: BlindPair, *, judge: str, choice: Choice) -> None:
    """Say which response is better. The judge's earlier judgement of the pair, if any, is replaced."""
    left, right = (pair.hash_a, pair.hash_b) if pair.a_is_left(judge) else (pair.hash_b, pair.hash_a)
    value = {"left": left, "right": right}.get(choice, choice)
    kept.give_verdict(response_of(pair), verdict=value, reason="")


def take_back(kept: Annotations, pair: BlindPair) -> None:
    """Undo the judge's judgement of the pair."""
    kept.give_verdict(response_of(pair), verdict=None, reason="")


def is_value(value: str | None) -> bool:
    """Whether a judgement can say this: the hash of a text, a tie, or that the pair was skipped."""
    is_hash = value is not None and len(value) == 16 and set(value) <= set("0123456789abcdef")
    return value is None or value in (TIE, SKIP) or is_hash


def comparison_of(sides: Sequence[str], *, benchmark: str) -> Response:
    """What "the result was shown" is about: two checkpoints, in either order, on a benchmark."""
    name = _digest([benchmark, *sorted(sides)])
    return Response(RowKey(PAIR_OF_TEXTS, 0, "", name, 1), name[:16])


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's last word on a pair."""

    value: str
    time: str


def judged_by(entries: Mapping[Response, Sequence[Entry]]) -> dict[str, dict[str, Judged]]:
    """By judge: the judgement of each pair, by its id."""
    found: dict[str, dict[str, Judged]] = {}
    for response, said in entries.items():
        for entry in sorted(said, key=lambda one: one.time):
            own = found.setdefault(entry.author, {})
            if entry.field != "verdict":
                continue
            if entry.value is None:
                own.pop(response.key.problem_id, None)
            else:
                own[response.key.problem_id] = Judged(entry.value, entry.time)
    return found


def shown_to(entries: Mapping[Response, Sequence[Entry]], comparison: Response) -> dict[str, str]:
    """By judge: since when the result of this comparison is known."""
    found: dict[str, str] = {}
    for entry in entries.get(comparison, ()):
        if entry.field == "seen" and entry.value is not None:
            found[entry.author] = min(entry.time, found.get(entry.author, entry.time))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two checkpoints is preferred, over questions."""

    who: str
    num_a: int
    num_b: int
    num_ties: int
    num_skipped: int
    num_open: int
    num_not_blind: int
    """Judged after the result had been shown: left out of all other counts but `num_open`."""

    @property
    def share_b(self) -> float | None:
        """Questions on which B is preferred / those with a preference."""
        return self.num_b / (self.num_a + self.num_b) if self.num_a + self.num_b else None

    @property
    def interval(self) -> Interval | None:
        """95 % interval of that share over questions."""
        share = self.share_b
        return None if share is None else binomial_interval(share, self.num_a + self.num_b)

    @property
    def p_value(self) -> float:
        """Of the sign test over questions with a preference."""
        return sign_test(self.num_a, self.num_b)


def word_of(pair: BlindPair, value: str) -> str:
    """`a`, `b`, `tie` or `skip`."""
    return {pair.hash_a: "a", pair.hash_b: "b"}.get(value, value)


def words_of(
    pairs: Sequence[BlindPair], judged: Mapping[str, Judged], *, until: str | None
) -> tuple[dict[str, str], int]:
    """A judge's word on each pair given before the result was shown (`until`), and the number of later ones."""
    said = {pair.id: (pair, judged[pair.id]) for pair in pairs if pair.id in judged}
    late = {name for name, (_, found) in said.items() if until is not None and found.time > until}
    return {name: word_of(pair, found.value) for name, (pair, found) in said.items() if name not in late}, len(late)


def preference(who: str, words: Mapping[str, str], *, num_pairs: int, num_not_blind: int = 0) -> Preference:
    """The counts of these words."""
    counts = Counter(words.values())
    return Preference(
        who=who, num_a=counts["a"], num_b=counts["b"], num_ties=counts[TIE], num_skipped=counts[SKIP],
        num_open=num_pairs - len(words) - num_not_blind, num_not_blind=num_not_blind,
    )  # fmt: skip


def together(words: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One word for each question from those of all judges: what most prefer, a tie where as many prefer the other."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for one in words for name in one):
        counts = Counter(one[name] for one in words if one.get(name, SKIP) != SKIP)
        lead = counts["b"] - counts["a"]
        is_tied = lead == 0 or counts[TIE] > max(counts["a"], counts["b"])
        found[name] = SKIP if not counts else TIE if is_tied else "b" if lead > 0 else "a"
    return found


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode("utf-8", errors="replace")).hexdigest()[:32]
