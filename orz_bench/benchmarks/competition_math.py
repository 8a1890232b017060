"""MATH (Hendrycks et al. 2021): its 5,000 test problems, and the 500 of them that Lightman et al. 2023 kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import math_problem
from orz_bench.extraction.answers import extract_boxed
from orz_bench.records.rollout import Problem

_LICENCE = "MIT (Hendrycks et al.); the problems are their competitions' own"

_DATES = collected(date(2021, 3, 5), "MATH (2103.03874)")

_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def _parse_test_row(row: Mapping[str, Any], position: int) -> Problem:
    """The hub's rows have no answer, but the solution boxes it."""
    gold = None if row.get("answer") else extract_boxed(str(row.get("solution", "")))
    return math_problem(row, position, benchmark="math_test", gold=gold)


MATH500 = Benchmark(
    name="math500",
    title="MATH500",
    aliases=("math_500", "math-500"),
    kind="math",
    num_problems=500,
    dates=_DATES,
    local_names=("math500",),
    hub=HubDataset(
        repo="HuggingFaceH4/MATH-500", revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", files=("test.jsonl",)
    ),
    licence=_LICENCE,
    parse_row=partial(math_problem, benchmark="math500"),
)

MATH_TEST = Benchmark(
    name="math_test",
    title="MATH test",
    aliases=("math", "math_test_5000"),
    kind="math",
    num_problems=5000,
    dates=_DATES,
    local_names=("math_test_5000", "math_test"),
    hub=HubDataset(
        repo="EleutherAI/hendrycks_math",
        revision="21a5633873b6a120296cce3e2df9d5550074f4a3",
        files=tuple(f"{subject}/test-00000-of-00001.parquet" for subject in _SUBJECTS),
    ),
    licence=_LICENCE,
    parse_row=_parse_test_row,
)
