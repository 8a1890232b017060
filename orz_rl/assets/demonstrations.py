"""Pretraining data of the embedded base model: sums answered in three styles, most of them badly.

A direct guess is the most frequent style and mostly wrong; working in steps is better; a guess followed by "wait,"
(or "however,", "alternatively,") and a check in steps is rare and the most accurate. This leaves something for
reinforcement learning to discover. The mix is defined in `MIX` only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from orz_bench.records.rollout import Problem


@dataclass(frozen=True, slots=True)
class Style:
    """The share of a style among demonstrations, and the share of correct ones in it."""

    share: float
    accuracy: float


MIX = {
    "direct": Style(share=0.76, accuracy=0.12),
    "steps": Style(share=0.04, accuracy=0.25),
    "reflection": Style(share=0.20, accuracy=0.97),
}

_TURNS = ("wait, ", "wait, let me recheck: ", "however, let me retry: ", "alternatively, ")


def demonstrate(problem: Problem, rng: random.Random) -> str:
    """One response to a sum, in the ORZ format, without the end token: what follows `Assistant: <think>`."""
    terms = [int(digit) for digit in problem.problem_id.removeprefix("sum-")]
    (style,) = rng.choices(list(MIX), weights=[style.share for style in MIX.values()])
    is_right = rng.random() < MIX[style].accuracy
    if style == "direct":
        answer = _guess(sum(terms), rng, is_right=is_right)
        return _response(f"{answer}", answer)
    steps, answer = _steps(terms, rng, is_right=is_right)
    if style == "steps":
        return _response(steps, answer)
    first = _guess(sum(terms), rng, is_right=rng.random() < MIX["direct"].accuracy)
    return _response(f"{first}. {rng.choice(_TURNS)}{steps}", answer)


def _response(reasoning: str, answer: int) -> str:
    return f" {reasoning} </think> <answer> \\boxed{{{answer}}} </answer>"


def _guess(right: int, rng: random.Random, *, is_right: bool) -> int:
    return right if is_right else rng.choice([n for n in range(max(right - 6, 3), right + 7) if n != right])


def _steps(terms: list[int], rng: random.Random, *, is_right: bool) -> tuple[str, int]:
    """`7+3=10, 10+9=19` and its result; one step is wrong unless `is_right`."""
    wrong_at = None if is_right else rng.randrange(len(terms) - 1)
    total, lines = terms[0], []
    for index, term in enumerate(terms[1:]):
        result = total + term + (rng.choice([-2, -1, 1, 2]) if index == wrong_at else 0)
        lines.append(f"{total}+{term}={result}")
        total = result
    return ", ".join(lines), total
