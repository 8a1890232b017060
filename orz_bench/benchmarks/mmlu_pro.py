"""MMLU-Pro (Wang et al. 2024): 12,032 questions of 14 categories with up to ten options.

Examples and prompt are those of the official script: five worked examples of the category from the validation split.
"""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, Examples, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import first_text, id_of, letter_answer, options_of, raw_question_of
from orz_bench.errors import DataError, counted
from orz_bench.records.rollout import Problem

NUM_SHOTS = 5
_REPO, _REVISION = "TIGER-Lab/MMLU-Pro", "b189ec765aa7ed75c8acfea42df31fdae71f97be"
_LETTERS = string.ascii_uppercase[:10]


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """A row of the hub's table or of JSON lines."""
    options = _options(row)
    return Problem(
        benchmark="mmlu_pro",
        problem_id=_id_of(row, position),
        question=_question(row),
        gold=letter_answer(row, num_options=len(options)),
        kind="choice",
        num_choices=len(options),
        extra={"category": first_text(row, ("category",))},
    )


def with_examples(problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """The problems with the header and the first five validation questions of their category."""
    by_category: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        solution = first_text(row, ("cot_content",)).replace("A: Let's think", "Answer: Let's think", 1)
        by_category[first_text(row, ("category",))].append(f"Question:\n{_question(row)}\n{solution}\n\n")
    categories = dict.fromkeys(problem.extra["category"] for problem in problems)
    short = [category for category in categories if len(by_category[category]) < NUM_SHOTS]
    if short:
        raise DataError(f"the validation split has fewer than {NUM_SHOTS} questions of {', '.join(short)}")
    shown = {category: _header(category) + "".join(by_category[category][:NUM_SHOTS]) for category in categories}
    return [replace(problem, examples=shown[problem.extra["category"]]) for problem in problems]


def _options(row: Mapping[str, Any]) -> list[str]:
    options = [option for option in options_of(row) if option != "N/A"]
    if not 1 <= len(options) <= len(_LETTERS):
        raise DataError(f"found {counted(len(options), 'option')}, wanted 1 to {len(_LETTERS)}")
    return options


def _question(row: Mapping[str, Any]) -> str:
    lines = [f"{letter}. {option}" for letter, option in zip(_LETTERS, _options(row), strict=False)]
    return "\n".join([raw_question_of(row), "Options:", *lines])


def _header(category: str) -> str:
    return (
        f"The following are multiple choice questions (with answers) about {category}. Think step by step and then "
        f'finish your answer with "the answer is (X)" where X is the correct letter choice.\n\n\n\n'
    )


def _id_of(row: Mapping[str, Any], position: int) -> str:
    number = row.get("question_id")
    return f"mmlu_pro-{number}" if isinstance(number, int) else id_of(row, position, benchmark="mmlu_pro")


def _hub(split: str) -> HubDataset:
    return HubDataset(repo=_REPO, revision=_REVISION, files=(f"data/{split}-00000-of-00001.parquet",))


BENCHMARK = Benchmark(
    name="mmlu_pro",
    title="MMLU-Pro",
    aliases=("mmlu-pro",),
    kind="choice",
    num_problems=12_032,
    dates=collected(date(2024, 6, 3), "MMLU-Pro (2406.01574)"),
    local_names=("mmlu_pro_test", "mmlu_pro"),
    hub=_hub("test"),
    licence="MIT",
    parse_row=parse_row,
    examples=Examples(local_names=("mmlu_pro_validation", "mmlu_pro_val"), hub=_hub("validation"), join=with_examples),
    default_protocol="mmlu-pro",
    breakdowns=("category",),
)
