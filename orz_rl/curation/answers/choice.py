"""Which stored answers are learned: the right and whole ones, without duplicates and benchmark overlap, in an order.

Pure functions of the answers and the settings: the same answers are chosen again. Every answer has a fate;
REASONS lists them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from orz_rl.curation.answers.source import Answer
from orz_rl.settings.distill import AnswerChoice, Preference

CHOSEN = "chosen"
REASONS: Mapping[str, str] = MappingProxyType(
    {
        CHOSEN: "learned",
        "no_text": "its text was not kept (rollouts.keep), or is empty",
        "not_graded": "has no verdict; grade it with orz-bench grade",
        "not_right": "its verdict is not correct",
        "cut_off": "ended at the token limit",
        "duplicate": "the same text was an answer to the same problem before",
        "contaminated": "its question is that of a benchmark",
        "too_long": "longer than data.max_prompt_tokens and rollout.max_tokens allow",
        "beyond_per_problem": "other answers of the problem came first (per_problem, prefer)",
        "beyond_limit": "others came first (limit)",
    }
)
_NGRAM = 3

Overlaps = Callable[[Sequence[Answer]], Mapping[tuple[str, str], str]]
"""One answer of each problem -> the problems that overlap with a benchmark, each with the evidence."""
Tokenise = Callable[[Answer], Answer]
"""The same answer with the student's tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What fits in a sequence."""

    prompt: int
    response: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFate:
    """What became of one stored answer."""

    benchmark: str
    problem_id: str
    sample_index: int
    step: int
    num_tokens: int
    fate: str
    """A name of REASONS."""
    evidence: str = ""


@dataclass(slots=True)
class Choice:
    """The answers that are learned, in their order, and the fate of every answer."""

    answers: list[Answer] = field(default_factory=list)
    fates: list[AnswerFate] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Answers by fate, in the order of REASONS; those without any are left out."""
        found = Counter(each.fate for each in self.fates)
        return {name: found[name] for name in REASONS if found[name]}


def choose(
    answers: Iterable[Answer],
    settings: AnswerChoice,
    *,
    seed: int,
    limits: Limits,
    tokenise: Tokenise,
    overlaps: Overlaps,
) -> Choice:
    """The answers to learn. May be empty: `counts` says why."""
    choice = Choice()
    right = _usable(answers, choice)
    found = overlaps(list({answer.problem: answer for answer in right}.values()))
    clean: list[Answer] = []
    for answer in right:
        if answer.problem in found:
            _decide(choice, answer, fate="contaminated", evidence=found[answer.problem])
        else:
            clean.append(answer)
    fitting: list[Answer] = []
    for answer in map(tokenise, clean):
        fits = _fits(answer, limits)
        if fits:
            fitting.append(answer)
        else:
            _decide(choice, answer, fate="too_long")
    for rank, answer in _in_order(fitting, settings.prefer, seed=seed):
        if settings.per_problem is not None and rank >= settings.per_problem:
            _decide(choice, answer, fate="beyond_per_problem")
        elif settings.limit is not None and len(choice.answers) >= settings.limit:
            _decide(choice, answer, fate="beyond_limit")
        else:
            choice.answers.append(answer)
            _decide(choice, answer, fate=CHOSEN)
    return choice


def _usable(answers: Iterable[Answer], choice: Choice) -> list[Answer]:
    """Right, whole, and not seen before."""
    right: list[Answer] = []
    seen: set[tuple[tuple[str, str], str]] = set()
    for answer in answers:
        reason = _fault(answer)
        key = (answer.problem, answer.rollout.completion)
        if not reason and key in seen:
            reason = "duplicate"
        if reason:
            _decide(choice, answer, fate=reason, evidence=answer.rollout.verdict if reason == "not_right" else "")
            continue
        seen.add(key)
        right.append(answer)
    return right


def _fault(answer: Answer) -> str:
    row = answer.rollout
    if not row.completion:  # an answer whose text was dropped has None
        return "no_text"
    if not answer.is_graded:
        return "not_graded"
    if row.verdict != "correct":
        return "not_right"
    return "cut_off" if row.stop_reason in ("length", "failed") else ""


def _fits(answer: Answer, limits: Limits) -> bool:
    row = answer.rollout
    prompt = len(row.prompt_token_ids or ())
    return prompt <= limits.prompt and row.num_tokens <= limits.response and prompt + row.num_tokens <= limits.sequence


def _decide(choice: Choice, answer: Answer, *, fate: str, evidence: str = "") -> None:
    row = answer.rollout
    choice.fates.append(
        AnswerFate(
            benchmark=row.benchmark,
            problem_id=row.problem_id,
            sample_index=row.sample_index,
            step=row.step,
            num_tokens=row.num_tokens,
            fate=fate,
            evidence=evidence,
        )
    )


def _in_order(answers: Sequence[Answer], prefer: Preference, *, seed: int) -> list[tuple[int, Answer]]:
    """(rank in its problem, answer): the first of every problem, then the second ones; problems in a seeded order."""
    problems: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        problems.setdefault(answer.problem, []).append(answer)
    ranked = [
        (rank, _draw(seed, *problem), answer)
        for problem, own in problems.items()
        for rank, answer in enumerate(_preferred(own, prefer, seed=seed))
    ]
    return [(rank, answer) for rank, _, answer in sorted(ranked, key=lambda each: each[:2])]


def _preferred(answers: Sequence[Answer], prefer: Preference, *, seed: int) -> list[Answer]:
    """The answers of one problem, the preferred first; ties in a seeded order."""
    drawn = sorted(answers, key=lambda each: _draw(seed, each.rollout.step, each.rollout.sample_index))
    if prefer == "shortest":
        return sorted(drawn, key=lambda each: each.rollout.num_tokens)
    if prefer == "longest":
        return sorted(drawn, key=lambda each: -each.rollout.num_tokens)
    if prefer == "value":
        return sorted(drawn, key=lambda each: -(each.value or 0.0))
    return _diverse(drawn) if prefer == "diverse" else drawn


def _diverse(answers: Sequence[Answer]) -> list[Answer]:
    """The first, then each time the one whose largest Jaccard similarity to those taken is the smallest."""
    grams = [_grams(answer.rollout.token_ids or ()) for answer in answers]
    closest = [0.0] * len(answers)
    left = list(range(len(answers)))
    found: list[Answer] = []
    while left:
        best = min(left, key=lambda at: closest[at])
        left.remove(best)
        found.append(answers[best])
        for at in left:
            closest[at] = max(closest[at], _jaccard(grams[at], grams[best]))
    return found


def _grams(ids: Sequence[int]) -> frozenset[tuple[int, ...]]:
    listed = list(ids)
    return frozenset(tuple(listed[at : at + _NGRAM]) for at in range(max(1, len(listed) - _NGRAM + 1)))


def _jaccard(left: frozenset[tuple[int, ...]], right: frozenset[tuple[int, ...]]) -> float:
    return len(left & right) / len(left | right)


def _draw(seed: int, *key: object) -> bytes:
    """A random order that depends on the seed and on what is ordered alone."""
    return hashlib.blake2b(repr((seed, *key)).encode("utf-8", "replace"), digest_size=8).digest()
