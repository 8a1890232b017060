"""GSM8K (Cobbe et al. 2021): 1,319 grade-school word problems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import answer_of, math_problem
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """The gold is what follows the last `####`, without thousands separators."""
    gold = answer_of(row).rpartition("####")[2].strip().replace(",", "")
    return math_problem(row, position, benchmark="gsm8k", gold=gold)


BENCHMARK = Benchmark(
    name="gsm8k",
    title="GSM8K",
    kind="math",
    num_problems=1319,
    dates=on(date(2021, 10, 27), "GSM8K (2110.14168)"),
    local_names=("gsm8k_test", "gsm8k"),
    hub=HubDataset(
        repo="openai/gsm8k",
        revision="740312add88f781978c0658806c59bc2815b9866",
        files=("main/test-00000-of-00001.parquet",),
    ),
    licence="MIT",
    parse_row=parse_row,
)
