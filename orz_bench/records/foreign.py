"""Names in files that other tools wrote: of columns, of runs, and of Open-Reasoner-Zero's own dumps."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orz_bench.errors import DataError
from orz_bench.records.judged import NO_RESPONSE
from orz_bench.records.rollout import VERDICTS
from orz_bench.records.tables import SUFFIXES as SUFFIXES
from orz_bench.records.tables import Row as Row

_TEXT_COLUMNS = ("question", "gold", "completion", "extracted", "benchmark", "problem_id", "stop_reason", "verdict")
_YES_NO = {"true": "correct", "1": "correct", "1.0": "correct", "false": "wrong", "0": "wrong", "0.0": "wrong"}
_DUMPED_STEP = re.compile(r"iter(\d+)_generation_results\.json")
_DUMPED_EVAL = re.compile(r"eval_output_iter(\d+)_(.+?)([01]\.\d+)?\.jsonl")

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "step": ("step", "iteration", "iter", "global_step"),
        "benchmark": ("benchmark", "dataset", "task", "data_source"),
        "problem_id": ("problem_id", "question_id", "example_id", "doc_id", "group", "index", "idx", "id"),
        "sample_index": ("sample_index", "sample"),
        "question": ("question", "problem", "prompt", "instruction", "query", "input"),
        "gold": ("gold", "answer", "expected", "ground_truth", "expected_answer", "reference_answer", "gts"),
        "completion": ("completion", "response", "raw_response", "output", "generation"),
        "num_tokens": ("num_tokens", "completion_tokens", "response_tokens"),
        "stop_reason": ("stop_reason", "finish_reason"),
        "extracted": (
            "extracted",
            "final_answer",
            "generated_answer",
            "prediction",
            "official_pred",
            "pred",
            "predicted_answer",
        ),
        "verdict": ("verdict", "correct", "is_correct", "iscorrect", "is_match", "official_pass", "acc"),
        "reward": ("reward", "score"),
    }
)
"""Accepted names of each column in foreign files; the first one present is used."""
_WITHOUT_RESPONSE = {"completion": "", "extracted": None, "verdict": "no_answer", "why": NO_RESPONSE}
MOST_FILES = 100_000
"""In a folder of dumps; a training run of the paper wrote some thousand."""
RUN_NAMES = ("run", "exp", "experiment", "condition", "series", "model")
"""Columns that distinguish several runs in one foreign file."""


def source_columns(present: Iterable[str]) -> dict[str, str]:
    """For each of our columns in a foreign file: its name there."""
    names = set(present)
    found = {ours: next((theirs for theirs in accepted if theirs in names), None) for ours, accepted in ALIASES.items()}
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def flat(row: Mapping[str, Any]) -> Row:
    """A row without nesting: fields of objects (`outputs`, `metrics`) move up, unless the name is taken."""
    inner = [value for value in row.values() if isinstance(value, dict)]
    outer = {name: value for name, value in row.items() if not isinstance(value, dict)}
    return {name: value for part in inner for name, value in part.items()} | outer


def run_column(present: Row) -> str | None:
    """The column that distinguishes several runs in one file, or None."""
    return next((name for name in RUN_NAMES if name in present), None)


@dataclass(frozen=True, slots=True)
class Dumped:
    """Step and benchmark encoded in an Open-Reasoner-Zero dump's file name."""

    step: int
    benchmark: str | None
    """The evaluation; None for rollouts of training."""


def dumped(path: Path) -> Dumped | None:
    """The step and benchmark in a dump's name; None for any other file."""
    if match := _DUMPED_STEP.fullmatch(path.name):
        return Dumped(int(match.group(1)), None)
    match = _DUMPED_EVAL.fullmatch(path.name)
    return Dumped(int(match.group(1)), match.group(2)) if match else None


def files_under(folder: Path) -> Iterator[Path]:
    """Files in a folder and the folders in it, links to folders left out. DataError for a folder of too many files."""
    num_files = 0
    for parent, _, names in os.walk(folder):  # a folder that cannot be read is passed over
        num_files += len(names)
        if num_files > MOST_FILES:
            raise DataError(
                f"{folder}: holds more than {MOST_FILES:,} files; name the folder of the dumps itself, or the files."
            )
        yield from (Path(parent) / name for name in names)


def canonical(row: Row) -> Row:
    """A flat foreign row in our columns; unknown ones are absent. Rows of one question share a problem_id.

    A row without a response, one of thousands where a server failed, has no answer.
    """
    names = source_columns(row)
    ours = {name: row[theirs] for name, theirs in names.items()}
    if "problem_id" not in ours and ours.get("question") is not None:
        ours["problem_id"] = hashlib.sha256(_text(ours["question"]).encode()).hexdigest()[:12]
    if "verdict" in ours:
        ours["verdict"] = _verdict(ours["verdict"])
    for name in _TEXT_COLUMNS:
        if ours.get(name) is not None:
            ours[name] = _text(ours[name])
    return ours if ours.get("completion") is not None else ours | _WITHOUT_RESPONSE


def _verdict(value: Any) -> str | None:
    text = str(value).strip().lower()
    return text if text in VERDICTS else _YES_NO.get(text)


def _text(value: Any) -> str:
    """The text with replacements for what UTF-8 cannot encode."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", errors="replace").decode("utf-8")
