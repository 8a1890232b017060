"""Stored evaluations as questions with n answers each, with the values of a critic where it has assessed them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.records.origin import origin_at
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.records.values import TokenValues, ValueSummary, assessed_folder, values_of
from orz_bench.results.lookup import named_as, no_evaluation
from orz_bench.results.scaling.question import AnsweredQuestion, StoredAnswer

_COLUMNS = ("problem_id", "sample_index", "verdict", "extracted", "num_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """One evaluation with several samples a question."""

    result: EvalResult
    questions: tuple[AnsweredQuestion, ...]
    unit: Literal["tokens", "characters"]
    critic: str | None
    """The digest of the critic whose values are used."""
    notes: tuple[str, ...] = ()


def stored_evaluations(
    run: Path, *, benchmarks: Sequence[str] = (), step: int | None = None, critic: str | None = None
) -> list[StoredEvaluation]:
    """The run's finished evaluations that have several samples a question.

    RunDirError if the folder is not a run; ConfigError if nothing is left, with the reason.
    """
    directory = RunDir(run)
    directory.info()
    origin = origin_at(directory)
    found = [
        (each, named_as(result, origin)) for each in directory.evaluations() if (result := each.result()) is not None
    ]
    wanted = [
        (each, result)
        for each, result in found
        if (not benchmarks or each.benchmark in benchmarks) and (step is None or each.step == step)
    ]
    several = [(each, result) for each, result in wanted if result.summary.n > 1 and part_files(each.path)]
    if not several:
        raise ConfigError(_why_none(run, found, wanted=wanted))
    return [stored_evaluation(each, result, critic=critic) for each, result in several]


def _why_none(run: Path, found: Sequence[Any], *, wanted: Sequence[Any]) -> str:
    if not found:
        return no_evaluation(run)
    if not wanted:
        have = ", ".join(sorted({f"{each.benchmark} at step {each.step}" for each, _ in found}))
        return f"{run}: no evaluation of that choice; it has {have}."
    return (
        f"{run}: every evaluation has one sample a question, and rules choose among several; evaluate with --n 16 or "
        f"more, or import several files of samples."
    )


def stored_evaluation(directory: EvaluationDir, result: EvalResult, *, critic: str | None = None) -> StoredEvaluation:
    """One finished evaluation, with the values of the critic with this digest, by default of the only one.

    ConfigError if several critics have assessed it and none is named.
    """
    values_dir = values_of(assessed_folder(directory), critic=critic)
    values: Mapping[tuple[str, int], TokenValues] = values_dir.read() if values_dir is not None else {}
    rows = directory.read(list(_COLUMNS)).to_pylist()
    if result.protocol.get("selection"):
        rows = [row | {"num_tokens": spent} for row, spent in zip(rows, _spent(directory), strict=True)]
    has_tokens = all(row["num_tokens"] is not None for row in rows)
    lengths = [row["num_tokens"] for row in rows] if has_tokens else _characters(directory)
    knows_answers = result.summary.extraction_rate is not None
    grouped: dict[str, list[tuple[int, StoredAnswer]]] = defaultdict(list)
    for row, length in zip(rows, lengths, strict=True):
        grouped[row["problem_id"]].append((row["sample_index"], _answer(row, length, values=values)))
    unassessed = sum((row["problem_id"], row["sample_index"]) not in values for row in rows)
    return StoredEvaluation(
        result=result,
        questions=tuple(
            AnsweredQuestion.of(
                problem_id, [answer for _, answer in sorted(group, key=_index)], knows_answers=knows_answers
            )
            for problem_id, group in grouped.items()
        ),
        unit="tokens" if has_tokens else "characters",
        critic=values_dir.path.name if values_dir is not None else None,
        notes=tuple(
            _notes(unassessed if values_dir is not None else 0, has_tokens=has_tokens, knows_answers=knows_answers)
        ),
    )


def _index(pair: tuple[int, StoredAnswer]) -> int:
    return pair[0]


def _notes(unassessed: int, *, has_tokens: bool, knows_answers: bool) -> list[str]:
    notes = []
    if unassessed:
        notes.append(
            f"{counted(unassessed, 'response', verb=('has', 'have'))} no values of the critic, so its rules are left "
            f"out; run orz-bench value again."
        )
    if not has_tokens:
        notes.append("the numbers of tokens are unknown: lengths are in characters")
    if not knows_answers:
        notes.append("the extracted answers are unknown: rules that compare them are left out")
    return notes


def _spent(directory: EvaluationDir) -> list[int | None]:
    """Tokens of all candidates of which each response was chosen; None where unknown."""
    extras = map(json.loads, directory.read(["extra"])["extra"].to_pylist())
    return [extra.get("selection", {}).get("spent_tokens") for extra in extras]


def _characters(directory: EvaluationDir) -> list[int]:
    texts = directory.read(["completion"])["completion"].to_pylist()
    if any(text is None for text in texts):
        raise DataError(f"{directory.path}: has responses without a text and without a number of tokens; restore it.")
    return [len(text) for text in texts]


def _answer(row: Mapping[str, Any], length: float, *, values: Mapping[tuple[str, int], TokenValues]) -> StoredAnswer:
    found = values.get((row["problem_id"], row["sample_index"]))
    return StoredAnswer(
        is_correct=row["verdict"] == "correct",
        extracted=row["extracted"],
        length=float(length),
        value=None if found is None else ValueSummary.of(found.values),
    )
