"""OlympiadBench (He et al. 2024): its 675 open-ended, text-only, English mathematics problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.rows import math_problem
from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """Golds come as a list of formulas between dollars; several become one, separated by commas."""
    answers = row.get("answer", row.get("final_answer"))
    if isinstance(answers, str):
        answers = [answers]
    if not isinstance(answers, list) or not answers:
        raise DataError(f"found {answers!r} under answer, wanted a list of answers")
    gold = ", ".join(str(answer).replace("$", "").strip() for answer in answers)
    return math_problem(row, position, benchmark="olympiadbench", gold=gold)


BENCHMARK = Benchmark(
    name="olympiadbench",
    title="OlympiadBench",
    aliases=("olympiad", "olympiad_bench"),
    kind="math",
    num_problems=675,
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
