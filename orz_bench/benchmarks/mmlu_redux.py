"""MMLU-Redux 2.0 (Gema et al. 2024, 2406.04127): 100 questions of each of MMLU's subjects, checked by people.

Only those whose label is `ok` are asked. Left out is what the annotators found wrong (LEFT_OUT), questions with a wrong
gold among them: where they name a right one, it is not used, because several of these corrections are contested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orz_bench.benchmarks import mmlu
from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import QUESTION, first_text, require_columns
from orz_bench.errors import DataError, counted
from orz_bench.records.rollout import Problem

_OK = "ok"
LEFT_OUT = (
    "bad_question_clarity",
    "bad_options_clarity",
    "no_correct_answer",
    "multiple_correct_answers",
    "wrong_groundtruth",
    "expert",
)
"""Labels of questions that are not asked; `expert`: one would need an expert to check the gold."""
_NUM_ROWS = 5_700


def parse_row(row: Mapping[str, Any], position: int) -> Problem:
    """A row of the hub's tables, whose subject is the folder, or of JSON lines with the column `subject`."""
    require_columns(row, QUESTION, ("choices", "options"), ("answer",), ("error_type",), ("subject",))
    label = first_text(row, ("error_type",)).lower().replace(" ", "_")
    if label not in (_OK, *LEFT_OUT):
        raise DataError(f"the label {label!r} under error_type is none of {', '.join((_OK, *LEFT_OUT))}")
    problem = mmlu.parse_row(row, position, benchmark="mmlu_redux")
    named = problem.problem_id.replace("mmlu-", "mmlu_redux-", 1)
    return replace(problem, problem_id=named, extra={**problem.extra, "error_type": label})


def _notes(problems: Sequence[Problem]) -> list[str]:
    labels = f"{', '.join(LEFT_OUT[:-1])} or {LEFT_OUT[-1]}"
    return [f"{counted(len(problems), 'question')} labelled ok; those labelled {labels} are left out"]


BENCHMARK = Benchmark(
    name="mmlu_redux",
    title="MMLU-Redux 2.0",
    aliases=("mmlu-redux", "mmlu_redux_2"),
    kind="choice",
    num_problems=None,
    num_rows=_NUM_ROWS,
    dates=collected(mmlu.DATES.first, f"questions of {mmlu.DATES.source}; labels of June 2024"),
    local_names=("mmlu_redux", "mmlu-redux-2.0"),
    hub=HubDataset(
        repo="edinburgh-dawg/mmlu-redux-2.0",
        revision="372ea425445d51e1ba1188c56e5e893f8138621f",
        files=tuple(f"{subject}/data-00000-of-00001.arrow" for subject in sorted(mmlu.CATEGORIES)),
        folder_column="subject",
    ),
    licence="CC BY 4.0; the questions are MMLU's (MIT)",
    parse_row=parse_row,
    keep=lambda problem: problem.extra["error_type"] == _OK,
    notes=_notes,
    default_protocol="orz-greedy",
    breakdowns=("category", "subject"),
)
