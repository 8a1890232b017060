"""Minerva MATH (Lewkowycz et al. 2022): 272 undergraduate problems from MIT OpenCourseWare."""

from __future__ import annotations

from datetime import date
from functools import partial

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import math_problem

BENCHMARK = Benchmark(
    name="minerva",
    title="Minerva MATH",
    aliases=("minerva_math",),
    kind="math",
    num_problems=272,
    dates=collected(date(2022, 6, 29), "Minerva (2206.14858)"),
    local_names=("minerva_math_272", "minerva_math"),
    hub=HubDataset(
        repo="math-ai/minervamath", revision="ee46ddc498933b1977577953250ca5c66be64f96", files=("test.jsonl",)
    ),
    licence="the course material is CC BY-NC-SA 4.0; the dataset states no licence of its own",
    parse_row=partial(math_problem, benchmark="minerva"),
)
