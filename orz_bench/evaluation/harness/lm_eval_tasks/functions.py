"""Functions that the YAML files call: problems as documents, prompts, and our grader's verdicts as metrics.

Questions come from $ORZ_DATA, the local cache or the hub, as with orz-bench. The template is ORZ's (`orz-code`), the
reading of answers that of the extractor `final`; decoding is greedy.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from orz_bench.asking.templates import orz_code
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.rollout import Grade, Problem

_EXTRACTOR = "final"


def load(benchmark: str, **_: Any) -> dict[str, Any]:
    """{"test": the problems as a dataset}: `custom_dataset` of every task; the YAML names the benchmark."""
    from datasets import Dataset

    folder = os.environ.get("ORZ_DATA")
    loaded = load_problems(get_benchmark(benchmark), folders=[Path(folder)] if folder else [])
    return {"test": Dataset.from_list([_document(problem) for problem in loaded.problems])}


def prompt(document: Mapping[str, Any]) -> str:
    """The question in ORZ's template, without a begin-of-sequence token: that is the backend's to add."""
    return orz_code(_problem(document), None)


def question(document: Mapping[str, Any]) -> str:
    """The bare question: for prompts whose own words are what is tested, best with lm_eval's --apply_chat_template."""
    return str(document["question"])


def target(document: Mapping[str, Any]) -> str:
    """The gold."""
    return str(document["gold"])


def verdict(document: Mapping[str, Any], responses: Sequence[str]) -> dict[str, float]:
    """Metrics of an answer: correct or not, and found or not."""
    grade = _grade(document, responses[0])
    return {"correct": float(grade.is_correct), "answered": float(grade.extracted is not None)}


def followed(document: Mapping[str, Any], responses: Sequence[str]) -> dict[str, Any]:
    """IFEval's four figures."""
    instructions = _grade(document, responses[0]).extra["instructions"]
    levels = {level: [bool(one[level]) for one in instructions] for level in ("strict", "loose")}
    prompts = {f"prompt_level_{level}_acc": float(all(found)) for level, found in levels.items()}
    return prompts | {f"inst_level_{level}_acc": found for level, found in levels.items()}


def share(outcomes: Sequence[Sequence[bool]]) -> float:
    """The share of all instructions, not the mean over prompts."""
    flat = [outcome for found in outcomes for outcome in found]
    return sum(flat) / len(flat)


def _document(problem: Problem) -> dict[str, Any]:
    return {
        "benchmark": problem.benchmark,
        "problem_id": problem.problem_id,
        "question": problem.question,
        "gold": problem.gold,
        "kind": problem.kind,
        "num_choices": problem.num_choices,
        "extra": json.dumps(dict(problem.extra)),
    }


def _problem(document: Mapping[str, Any]) -> Problem:
    return Problem(**{**document, "extra": json.loads(document["extra"])})


def _grade(document: Mapping[str, Any], response: str) -> Grade:
    problem = _problem(document)
    submission = Submission(gold=problem.gold, kind=problem.kind, num_choices=problem.num_choices, response=response)
    (grade,) = _grader().grade([submission])
    return grade


@cache
def _grader() -> Grader:
    grader = Grader(extractor=_EXTRACTOR)
    atexit.register(grader.close)
    return grader
