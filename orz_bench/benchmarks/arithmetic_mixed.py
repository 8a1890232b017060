"""arithmetic_mixed: generated from a seed, five levels from `3 + 8` to nested expressions. Ships with the product.

It needs no download, costs few tokens, and spreads small models out: the first level is nearly free, the last is hard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Problem

NUM_LEVELS = 5
_SEED = 2024
_NUM_PROBLEMS = 100
MAX_PROBLEMS = 500
"""The first level has 128 questions; drawing 100 of them needs few repeats."""


class _Draw:
    """Integers from a hash: the same on every machine and Python version."""

    def __init__(self, *identity: object) -> None:
        self._identity = "\x1f".join(map(str, identity))
        self._count = 0

    def integer(self, low: int, high: int) -> int:
        """Uniform in [low, high], up to a bias of 2**-40 or less."""
        self._count += 1
        digest = hashlib.sha256(f"{self._identity}\x1f{self._count}".encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)

    def pick(self, *options: str) -> str:
        """One of these."""
        return options[self.integer(0, len(options) - 1)]


def _level_1(draw: _Draw) -> tuple[str, int]:
    a, b = draw.integer(2, 9), draw.integer(2, 9)
    if draw.integer(0, 1):
        return f"What is {a} + {b}?", a + b
    return f"What is {a + b} - {b}?", a


def _level_2(draw: _Draw) -> tuple[str, int]:
    a, b = draw.integer(12, 89), draw.integer(12, 89)
    kind = draw.pick("+", "-", "times")
    if kind == "+":
        return f"What is {a} + {b}?", a + b
    if kind == "-":
        return f"What is {max(a, b)} - {min(a, b)}?", max(a, b) - min(a, b)
    c, d = draw.integer(3, 9), draw.integer(3, 9)
    return f"What is {c} \\cdot {d}?", c * d


def _level_3(draw: _Draw) -> tuple[str, int]:
    a, b, c = draw.integer(12, 49), draw.integer(3, 9), draw.integer(11, 99)
    thing = draw.pick("apples", "pencils", "marbles", "stamps")
    if draw.integer(0, 1):
        return f"A box holds {a} {thing}. How many {thing} are in {b} such boxes and {c} more?", a * b + c
    return f"What is {a} \\cdot {b} + {c}?", a * b + c


def _level_4(draw: _Draw) -> tuple[str, int]:
    a, b, c, d = draw.integer(11, 39), draw.integer(11, 39), draw.integer(3, 9), draw.integer(20, 99)
    if draw.integer(0, 1):
        return f"What is ({a} + {b}) \\cdot {c} - {d}?", (a + b) * c - d
    return f"What is the remainder when {a * b + c} is divided by {a}?", (a * b + c) % a


def _level_5(draw: _Draw) -> tuple[str, int]:
    a, b, c, d, e = (draw.integer(11, 29) for _ in range(5))
    if draw.integer(0, 1):
        return f"What is {a} \\cdot {b} - ({c} + {d}) \\cdot {e}?", a * b - (c + d) * e
    modulus = draw.integer(7, 19)
    return f"What is the remainder when {a} \\cdot {b} \\cdot {c} + {d} is divided by {modulus}?", (
        a * b * c + d
    ) % modulus


_LEVELS: tuple[Callable[[_Draw], tuple[str, int]], ...] = (_level_1, _level_2, _level_3, _level_4, _level_5)


def generate_mixed(*, seed: int = _SEED, num_problems: int = _NUM_PROBLEMS) -> list[Problem]:
    """Distinct problems, levels in turn, so that the first N of them are of all levels. A function of its arguments.

    Raises ConfigError beyond the number of problems that the smallest level has.
    """
    if num_problems > MAX_PROBLEMS:
        raise ConfigError(
            f"{num_problems:,} mixed arithmetic problems are wanted, but there are at most {MAX_PROBLEMS} distinct."
        )
    problems: list[Problem] = []
    seen: set[str] = set()
    attempt = 0
    while len(problems) < num_problems:
        level = len(problems) % NUM_LEVELS
        question, answer = _LEVELS[level](_Draw(seed, level, attempt))
        attempt += 1
        if question not in seen:
            seen.add(question)
            problems.append(_problem(question, answer, level=level + 1, number=len(problems) // NUM_LEVELS))
    return problems


def _problem(question: str, answer: int, *, level: int, number: int) -> Problem:
    return Problem(
        benchmark="arithmetic_mixed",
        problem_id=f"arithmetic-L{level}-{number:02d}",
        question=question,
        gold=str(answer),
        kind="math",
        extra={"level": level},
    )


BENCHMARK = Benchmark(
    name="arithmetic_mixed",
    title="Arithmetic, mixed",
    kind="math",
    num_problems=_NUM_PROBLEMS,
    licence="Apache-2.0, with the product",
    generate=generate_mixed,
)
