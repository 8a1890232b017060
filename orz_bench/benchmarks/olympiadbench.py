"""OlympiadBench (He et al. 2024): its 675 open-ended, text-only, English mathematics problems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import answers_of, math_problem
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """Golds come as a list of formulas between dollars; several become one, separated by commas."""
    return math_problem(row, position, benchmark="olympiadbench", gold=", ".join(answers_of(row)))


BENCHMARK = Benchmark(
    name="olympiadbench",
    title="OlympiadBench",
    aliases=("olympiad", "olympiad_bench"),
    kind="math",
    num_problems=675,
    dates=collected(date(2024, 2, 21), "OlympiadBench (2402.14008)"),
    local_names=("olympiadbench_675", "olympiadbench"),
    hub=HubDataset(
        repo="math-ai/olympiadbench",
        revision="4faaf1e6ec17d11a4218a9bf4c049ecaf954dd84",
        files=("test.parquet",),
        num_problems=674,
    ),
    licence="MIT",
    parse_row=parse_row,
)
