"""GPQA Diamond (Rein et al. 2023): 198 questions with four options."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import answer_of, first_text, id_of, question_of
from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem

_LETTERS = "ABCD"


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """A row of the hub's CSV (options shuffled by the question's hash), or one whose text has its options already."""
    if "Correct Answer" in row:
        question, gold = _with_options(row)
    else:
        question, gold = question_of(row), answer_of(row)
    if gold not in tuple(_LETTERS):
        raise DataError(f"the answer is {gold!r}, wanted one of the letters A to D")
    return Problem(
        benchmark="gpqa_diamond",
        problem_id=id_of(row, position, benchmark="gpqa_diamond"),
        question=question,
        gold=gold,
        kind="choice",
        num_choices=len(_LETTERS),
        extra={key: row[key] for key in ("Subdomain", "High-level domain") if row.get(key)},
    )


def option_order(question: str) -> list[int]:
    """A permutation of the four options that depends on the question's text alone: the same in every run, for ever."""
    digests = [hashlib.sha256(f"{index}\x1f{question}".encode()).digest() for index in range(len(_LETTERS))]
    return sorted(range(len(_LETTERS)), key=lambda index: digests[index])


def _with_options(row: Mapping[str, Any]) -> tuple[str, str]:
    stem = question_of(row)
    keys = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    options = [first_text(row, (key,)) for key in keys]
    order = option_order(stem)
    lines = [f"{letter}. {options[index]}" for letter, index in zip(_LETTERS, order, strict=True)]
    return f"{stem}\n\n" + "\n".join(lines), _LETTERS[order.index(0)]


BENCHMARK = Benchmark(
    name="gpqa_diamond",
    title="GPQA Diamond",
    aliases=("gpqa", "gpqa-diamond"),
    kind="choice",
    num_problems=198,
    dates=on(date(2023, 11, 20), "GPQA (2311.12022)"),
    local_names=("gpqa_diamond",),
    hub=HubDataset(
        repo="Idavidrein/gpqa",
        revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
        files=("gpqa_diamond.csv",),
        gated=True,
    ),
    licence="CC BY 4.0; its authors ask that examples are not published in plain text",
    parse_row=parse_row,
)
