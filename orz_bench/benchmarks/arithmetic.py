"""arithmetic: sums of three to five distinct digits, generated, with held-out and training problems that never meet.

It ships with the product and needs no download. A language model of half a million parameters can learn it, which is
what the `tiny` training recipe shows; for spreading real models out there is `arithmetic_mixed`.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from typing import Literal

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.errors import ConfigError, counted
from orz_bench.records.rollout import Problem

NUM_TERMS = (3, 4, 5)
"""The levels: how many digits are added."""
_SEED = 2024
_NUM_PROBLEMS = 100
_HELD_OUT_ONE_IN = 10

Split = Literal["held_out", "train"]


def generate_sums(*, split: Split, num_problems: int | None = None, seed: int = _SEED) -> list[Problem]:
    """Distinct sums of a split in a seeded order, levels in turn as long as each lasts. A function of its arguments.

    Which split a sum belongs to depends on its text alone, so no seed and no number makes the two overlap.
    Raises ConfigError for more problems than the split has.
    """
    levels = [_sums_of_level(num_terms, split=split, seed=seed) for num_terms in NUM_TERMS]
    in_turn = [terms for round_ in itertools.zip_longest(*levels) for terms in round_ if terms is not None]
    if num_problems is not None and num_problems > len(in_turn):
        raise ConfigError(
            f"{counted(num_problems, 'sum', verb=('is', 'are'))} wanted, but the split "
            f"{split!r} has {len(in_turn):,}; ask for fewer."
        )
    return [_problem(terms) for terms in in_turn[:num_problems]]


def _sums_of_level(num_terms: int, *, split: Split, seed: int) -> list[tuple[int, ...]]:
    sums = [terms for terms in itertools.permutations(range(1, 10), num_terms) if _split_of(terms) == split]
    random.Random(f"sums {seed} {num_terms}").shuffle(sums)
    return sums


def _split_of(terms: tuple[int, ...]) -> Split:
    digest = hashlib.sha256(_question(terms).encode()).digest()
    return "held_out" if int.from_bytes(digest[:8], "big") % _HELD_OUT_ONE_IN == 0 else "train"


def _question(terms: tuple[int, ...]) -> str:
    return f"What is {' + '.join(map(str, terms))}?"


def _problem(terms: tuple[int, ...]) -> Problem:
    return Problem(
        benchmark="arithmetic",
        problem_id="sum-" + "".join(map(str, terms)),
        question=_question(terms),
        gold=str(sum(terms)),
        kind="math",
        extra={"level": len(terms) - NUM_TERMS[0] + 1},
    )


BENCHMARK = Benchmark(
    name="arithmetic",
    title="Arithmetic",
    kind="math",
    num_problems=_NUM_PROBLEMS,
    licence="Apache-2.0, with the product",
    generate=lambda: generate_sums(split="held_out", num_problems=_NUM_PROBLEMS),
)
