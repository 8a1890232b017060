"""A benchmark: twenty squares, made here, so that no file is needed."""

from __future__ import annotations

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.records.rollout import Problem


def squares() -> list[Problem]:
    """What is 1 squared? ... What is 20 squared?"""
    return [
        Problem(benchmark="squares", problem_id=f"square-{n}", question=f"What is {n}^2?", gold=str(n * n), kind="math")
        for n in range(1, 21)
    ]


BENCHMARK = Benchmark(
    name="squares", title="Squares", kind="math", num_problems=20, licence="Apache-2.0", generate=squares
)
