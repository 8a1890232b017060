"""IFBench (Pyatkin et al. 2025, 2507.02833): 300 prompts with instructions of 58 new types that a program can check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.ifeval import parse_row
from orz_bench.records.rollout import Problem


def _notes(_problems: Sequence[Problem]) -> list[str]:
    return ["the score is strict; published figures of IFBench are the measure `prompt, loose`"]


BENCHMARK = Benchmark(
    name="ifbench",
    title="IFBench",
    kind="instruction",
    num_problems=300,
    dates=on(date(2025, 7, 3), "IFBench (2507.02833), its instructions; the prompts are from WildChat"),
    local_names=("ifbench", "IFBench_test"),
    hub=HubDataset(
        repo="allenai/IFBench_test",
        revision="2e8a48de45ff3bf41242f927254ca81b59ca3ae2",
        files=("data/train-00000-of-00001.parquet",),
    ),
    licence="ODC-BY 1.0",
    parse_row=partial(parse_row, benchmark="ifbench"),
    notes=_notes,
    default_protocol="greedy",
)
