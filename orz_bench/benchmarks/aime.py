"""AIME 2024 and 2025: 30 problems each, answers 0 to 999."""

from __future__ import annotations

from datetime import date
from functools import partial

from orz_bench.benchmarks.benchmark import Benchmark, Erratum, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import math_problem

_LICENCE = "problems are the Mathematical Association of America's; the dataset states no licence of its own"

AIME24 = Benchmark(
    name="aime24",
    title="AIME 2024",
    aliases=("aime2024",),
    kind="math",
    num_problems=30,
    dates=on(date(2024, 1, 31), "days of AIME I and II", last=date(2024, 2, 7)),
    local_names=("aime2024", "aime24"),
    hub=HubDataset(
        repo="HuggingFaceH4/aime_2024",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        files=("data/train-00000-of-00001.parquet",),
    ),
    licence=_LICENCE,
    parse_row=partial(math_problem, benchmark="aime24"),
    errata=(
        Erratum(
            question_sha256="d3abbd80fed0ae76a6118d1a5b2af5d6243bb8da781801ea68755d54f6ab3064",
            wrong_gold="480",
            right_gold="197",
            why="AIME 2024 I, problem 8: the tangent circles give 197",
            source="the published Open-Reasoner-Zero file data/eval_data/aime2024.json, row 22; official key: 197",
        ),
    ),
)

AIME25 = Benchmark(
    name="aime25",
    title="AIME 2025",
    aliases=("aime2025",),
    kind="math",
    num_problems=30,
    dates=on(date(2025, 2, 6), "days of AIME I and II", last=date(2025, 2, 12)),
    local_names=("aime2025", "aime25"),
    hub=HubDataset(repo="math-ai/aime25", revision="563bb8404243c5f09de6ec262f2db674fe5bce9b", files=("test.jsonl",)),
    licence=_LICENCE,
    parse_row=partial(math_problem, benchmark="aime25"),
)
