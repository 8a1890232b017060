"""Humanity's Last Exam (Phan et al. 2025): the questions in text alone that have a short answer.

Of its 2,500 questions, those with an image and those with options are left out. The official script has a model judge
the answers; here the rules for mathematics and words decide, so an answer in other words counts as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import on
from orz_bench.benchmarks.rows import ANSWER, QUESTION, answer_of, first_text, id_of, question_of, require_columns
from orz_bench.errors import DataError, counted
from orz_bench.records.rollout import Problem

_EXACT, _CHOICE = "exactMatch", "multipleChoice"


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """A row of the hub's table; its images are not kept."""
    require_columns(row, QUESTION, ANSWER, ("answer_type",), ("image",))
    answer_type = first_text(row, ("answer_type",))
    if answer_type not in (_EXACT, _CHOICE):
        raise DataError(f"the answer_type is {answer_type!r}, wanted {_EXACT} or {_CHOICE}")
    extra = {
        "answer_type": answer_type,
        "category": row.get("category"),
        "raw_subject": row.get("raw_subject"),
        "has_image": bool(row.get("image")),
    }
    return Problem(
        benchmark="hle_exact",
        problem_id=id_of(row, position, benchmark="hle_exact"),
        question=question_of(row),
        gold=answer_of(row),
        kind="math",
        extra={key: value for key, value in extra.items() if value},
    )


def _is_exact_text(problem: Problem) -> bool:
    return problem.extra["answer_type"] == _EXACT and not problem.extra.get("has_image")


def _notes(problems: Sequence[Problem]) -> list[str]:
    return [
        f"{counted(len(problems), 'question')} in text with a short answer, graded by rules; published figures are "
        f"judged by a model and over all 2,500 questions, so they are not comparable"
    ]


BENCHMARK = Benchmark(
    name="hle_exact",
    title="Humanity's Last Exam, exact match",
    aliases=("hle-exact",),
    kind="math",
    num_problems=None,
    num_rows=2_500,
    dates=on(date(2025, 1, 24), "HLE (2501.14249)"),
    local_names=("hle_exact", "hle"),
    hub=HubDataset(
        repo="cais/hle",
        revision="5a81a4c7271a2a2a312b9a690f0c2fde837e4c29",
        files=("data/test-00000-of-00001.parquet",),
        gated=True,
    ),
    licence="MIT; its authors ask that it never enters training data",
    parse_row=parse_row,
    keep=_is_exact_text,
    notes=_notes,
    breakdowns=("category",),
)
