"""MMLU (Hendrycks et al. 2020): 14,042 questions of 57 subjects with four options.

`mmlu` asks which letter is the most likely after five examples of the subject; `mmlu_cot` lets the model write. The two
are different measurements and never mixed. Prompts are those of lm-eval's `mmlu`, which are the original ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, Examples, HubDataset
from orz_bench.benchmarks.dates import collected
from orz_bench.benchmarks.rows import first_text, id_of, letter_answer, options_of, raw_question_of
from orz_bench.errors import DataError, counted
from orz_bench.records.rollout import Problem

NUM_SHOTS = 5
_NUM_OPTIONS = 4
DATES = collected(date(2020, 9, 7), "MMLU (2009.03300)")
_REPO, _REVISION = "cais/mmlu", "c30699e8356da336a370243923dbaf21066bb9fe"

CATEGORIES: Mapping[str, str] = {
    subject: category
    for category, subjects in {
        "STEM": (
            "abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science "
            "college_mathematics college_physics computer_security conceptual_physics electrical_engineering "
            "elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science "
            "high_school_mathematics high_school_physics high_school_statistics machine_learning"
        ),
        "humanities": (
            "formal_logic high_school_european_history high_school_us_history high_school_world_history "
            "international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory "
            "professional_law world_religions"
        ),
        "social sciences": (
            "econometrics high_school_geography high_school_government_and_politics high_school_macroeconomics "
            "high_school_microeconomics high_school_psychology human_sexuality professional_psychology "
            "public_relations security_studies sociology us_foreign_policy"
        ),
        "other": (
            "business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing "
            "medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology"
        ),
    }.items()
    for subject in subjects.split()
}
"""Subject -> category, as in lm-eval's groups."""


def parse_row(row: Mapping[str, Any], position: int, *, benchmark: str) -> Problem:
    """A row of the hub's table or of JSON lines."""
    subject = first_text(row, ("subject",))
    if subject not in CATEGORIES:
        raise DataError(f"the subject {subject!r} is none of MMLU's {len(CATEGORIES)}")
    return Problem(
        benchmark=benchmark,
        problem_id=id_of(row, position, benchmark="mmlu"),
        question=_question(row),
        gold=letter_answer(row, num_options=_NUM_OPTIONS),
        kind="choice",
        num_choices=_NUM_OPTIONS,
        extra={"subject": subject, "category": CATEGORIES[subject]},
    )


def with_examples(problems: Sequence[Problem], rows: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """The problems with the header and the first five development questions of their subject."""
    by_subject: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        letter = letter_answer(row, num_options=_NUM_OPTIONS)
        by_subject[first_text(row, ("subject",))].append(f"{_question(row)}\nAnswer: {letter}\n\n")
    subjects = dict.fromkeys(problem.extra["subject"] for problem in problems)
    short = [subject for subject in subjects if len(by_subject[subject]) < NUM_SHOTS]
    if short:
        raise DataError(f"the development split has fewer than {NUM_SHOTS} questions of {', '.join(short)}")
    shown = {subject: _header(subject) + "".join(by_subject[subject][:NUM_SHOTS]) for subject in subjects}
    return [replace(problem, examples=shown[problem.extra["subject"]]) for problem in problems]


def _question(row: Mapping[str, Any]) -> str:
    options = options_of(row)
    if len(options) != _NUM_OPTIONS:
        raise DataError(f"found {counted(len(options), 'option')}, wanted {_NUM_OPTIONS}")
    lines = [f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True)]
    return "\n".join([raw_question_of(row).strip(), *lines])


def _header(subject: str) -> str:
    return f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"


def _hub(split: str) -> HubDataset:
    return HubDataset(repo=_REPO, revision=_REVISION, files=(f"all/{split}-00000-of-00001.parquet",))


_SHARED: dict[str, Any] = {
    "kind": "choice",
    "num_problems": 14_042,
    "dates": DATES,
    "local_names": ("mmlu_test", "mmlu"),
    "hub": _hub("test"),
    "licence": "MIT",
    "breakdowns": ("category", "subject"),
}

MMLU = Benchmark(
    name="mmlu",
    title="MMLU",
    parse_row=partial(parse_row, benchmark="mmlu"),
    examples=Examples(local_names=("mmlu_dev",), hub=_hub("dev"), join=with_examples),
    default_protocol="mmlu",
    answered="by_likelihood",
    **_SHARED,
)

MMLU_COT = Benchmark(
    name="mmlu_cot",
    title="MMLU, written answers",
    parse_row=partial(parse_row, benchmark="mmlu_cot"),
    default_protocol="orz-greedy",
    **_SHARED,
)
