"""AMC 12 of 2022 and 2023: 83 problems with whole-number answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import answer_of, math_problem, whole_number
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """The dataset writes its answers as decimals: 142.0 for 142."""
    return math_problem(row, position, benchmark="amc", gold=whole_number(answer_of(row)))


BENCHMARK = Benchmark(
    name="amc",
    title="AMC 2022-2023",
    aliases=("amc23", "amc2022_2023"),
    kind="math",
    num_problems=83,
    dates=on(date(2022, 11, 10), "days of AMC 12A 2022 and 12B 2023", last=date(2023, 11, 14)),
    local_names=("amc2022_2023", "amc"),
    hub=HubDataset(
        repo="AI-MO/aimo-validation-amc",
        revision="69d78a4a2c840e82d69af6bc742bda09005f6316",
        files=("data/train-00000-of-00001.parquet",),
    ),
    licence="Apache-2.0; problems are the Mathematical Association of America's",
    parse_row=parse_row,
)
