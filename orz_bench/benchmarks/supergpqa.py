"""SuperGPQA (M-A-P 2025): 26,529 questions of 285 graduate disciplines with four to ten options."""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import QUESTION, first_text, letter_answer, options_of, raw_question_of, require_columns
from orz_bench.errors import DataError, counted
from orz_bench.records.rollout import Problem

_LETTERS = string.ascii_uppercase[:10]


def parse_row(row: Mapping[str, Any], _position: int) -> Problem:
    """A row of the hub's JSON lines. The options are shown as in the official zero-shot prompt: `A) text`."""
    require_columns(row, ("uuid", "id"), QUESTION, ("options", "choices"), ("answer_letter",))
    options = options_of(row)
    if not 2 <= len(options) <= len(_LETTERS):
        raise DataError(f"found {counted(len(options), 'option')}, wanted 2 to {len(_LETTERS)}")
    letter = first_text(row, ("answer_letter",))
    lines = [f"{name}) {option}" for name, option in zip(_LETTERS, options, strict=False)]
    return Problem(
        benchmark="supergpqa",
        problem_id=first_text(row, ("uuid", "id")),
        question="\n".join([raw_question_of(row), *lines]),
        gold=letter_answer({"answer": letter}, num_options=len(options)),
        kind="choice",
        num_choices=len(options),
        extra={key: row[key] for key in ("discipline", "field", "subfield", "difficulty") if row.get(key)},
    )


BENCHMARK = Benchmark(
    name="supergpqa",
    title="SuperGPQA",
    aliases=("super_gpqa", "super-gpqa"),
    kind="choice",
    num_problems=26_529,
    dates=collected(date(2025, 2, 20), "SuperGPQA (2502.14739)"),
    local_names=("supergpqa", "SuperGPQA-all"),
    hub=HubDataset(
        repo="m-a-p/SuperGPQA",
        revision="4430d4458112c7d4497fdcf94d7cc223313d6acf",
        files=("SuperGPQA-all.jsonl",),
    ),
    licence="ODC-BY",
    parse_row=parse_row,
    default_protocol="orz-greedy",
    breakdowns=("difficulty", "discipline"),
)
