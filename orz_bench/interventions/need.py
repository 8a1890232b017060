"""From a finished evaluation and a model to whether that model needs the thoughts; resumes response by response."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from orz_bench.engines.asked_model import AskedModel
from orz_bench.errors import RunDirError
from orz_bench.grading.grader import Grader
from orz_bench.interventions.asking import Asker, ForcedAnswer, ProbedStep
from orz_bench.interventions.stored import NeedSettings, StoredThought
from orz_bench.probing.thought_steps import Effect
from orz_bench.records.carded_rows import CardedRows
from orz_bench.records.run_dir import EvaluationDir
from orz_bench.records.text_hash import text_hash
from orz_bench.records.thought_need import FOLDER, StepScores, ThoughtNeed
from orz_bench.records.thoughts import Share
from orz_bench.results.statistics import value_band

BATCH = 16
"""Responses that are asked about together, and stored before the next ones."""
DECORATIVE = 0.005
"""The largest true-thinking score of a decorative step (2510.24941)."""
Row = Mapping[str, Any]


class Observer(Protocol):
    """Receives progress events."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """An evaluation begins."""
        ...

    def committed(self, num_responses: int, /) -> None:
        """A batch was stored."""
        ...


def thought_need(
    directory: EvaluationDir,
    thoughts: Sequence[StoredThought],
    *,
    model: AskedModel,
    settings: NeedSettings,
    num_left_out: int,
    observer: Observer,
) -> tuple[ThoughtNeed, CardedRows]:
    """The need, and the folder with its rows. Responses that are there already are not asked about again.

    A killed process loses the batch in flight. RunDirError if the stored rows are of other texts.
    """
    card = settings.card() | model.card
    folder = CardedRows.under(directory.path / FOLDER, card)
    with folder.writing(card | {"name": model.identity.label}):
        stored = _stored(folder, thoughts)
        missing = [each for each in thoughts if each.key not in stored]
        observer.started(directory.benchmark, num_wanted=len(thoughts), num_missing=len(missing))
        with Grader(extractor=settings.extractor) as grader:
            asker = Asker(model, settings, grader)
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                forced = asker.forced(batch)
                steps = asker.steps(batch) if settings.measured else [[] for _ in batch]
                rows = [
                    _row(each, forced=answers, steps=scored)
                    for each, answers, scored in zip(batch, forced, steps, strict=True)
                ]
                folder.append(rows)
                stored |= {each.key: row for each, row in zip(batch, rows, strict=True)}
                observer.committed(len(batch))
        rows = [stored[each.key] for each in thoughts]
        found = summarised(rows, settings=settings, model=model.identity.label, num_left_out=num_left_out)
        folder.write_summary(found.to_json())
    return found, folder


def _stored(folder: CardedRows, thoughts: Sequence[StoredThought]) -> dict[tuple[str, int], Row]:
    """The stored rows by key, those of these responses alone."""
    hashes = {each.key: f"{text_hash(each.text):016x}" for each in thoughts}
    found: dict[tuple[str, int], Row] = {}
    for row in folder.rows():
        key = row["problem_id"], row["sample_index"]
        if key in hashes and row["text"] != hashes[key]:
            raise RunDirError(
                f"{folder.path}: sample {key[1]} of {key[0]} was probed with another text: the responses were replaced "
                f"since; delete this folder and run orz-bench probe again."
            )
        found[key] = row
    return found


def _row(thought: StoredThought, *, forced: Sequence[ForcedAnswer], steps: Sequence[ProbedStep]) -> Row:
    return {
        "problem_id": thought.problem.problem_id,
        "sample_index": thought.sample_index,
        "text": f"{text_hash(thought.text):016x}",
        "forced": [{"share": one.share, "verdict": one.verdict, "own": one.is_own} for one in forced],
        "steps": [
            {
                "at": one.at,
                "text": one.step.text,
                "reflection": one.step.is_reflection,
                "now": None if one.now is None else list(one.now),
                "later": None if one.later is None else list(one.later),
            }
            for one in steps
        ],
    }


def summarised(rows: Sequence[Row], *, settings: NeedSettings, model: str, num_left_out: int) -> ThoughtNeed:
    """What follows from the rows."""
    places = range(len(settings.positions))
    accuracy = [_share(rows, lambda row, at=at: [row["forced"][at]["verdict"] == "correct"]) for at in places]  # type: ignore[misc]
    own = [_share(rows, lambda row, at=at: _known(row["forced"][at]["own"])) for at in places]  # type: ignore[misc]
    steps = [
        scores
        for measured in settings.measured
        for kind, keeps in _KINDS.items()
        if (scores := _scores(rows, measured=measured, kind=kind, keeps=keeps)) is not None
    ]
    return ThoughtNeed(
        model=model,
        num_questions=len({row["problem_id"] for row in rows}),
        num_responses=len(rows),
        num_left_out=num_left_out,
        positions=settings.positions,
        accuracy=tuple(share for share in accuracy if share is not None),
        own=tuple(share for share in own if share is not None),
        steps=tuple(steps),
    )


_KINDS: Mapping[str, Callable[[Row], bool]] = {
    "all": lambda _: True,
    "steps": lambda step: not step["reflection"],
    "reflections": lambda step: bool(step["reflection"]),
}


def _scores(rows: Sequence[Row], *, measured: str, kind: str, keeps: Callable[[Row], bool]) -> StepScores | None:
    def effects(row: Row) -> list[Effect]:
        return [Effect.of(step[measured]) for step in row["steps"] if step[measured] is not None and keeps(step)]

    score = _share(rows, lambda row: [effect.score for effect in effects(row)])
    support = _by_question(rows, lambda row: [effect.support for effect in effects(row)])
    decorative = _share(rows, lambda row: [effect.score <= DECORATIVE for effect in effects(row)])
    if score is None or decorative is None:
        return None
    return StepScores(
        kind=kind,
        measured=measured,
        num_steps=sum(len(effects(row)) for row in rows),
        score=score,
        support=float(np.mean(support)),
        decorative=decorative,
    )


def _known(value: bool | None) -> list[bool]:  # noqa: FBT001 - a value, not a switch
    return [] if value is None else [value]


def _by_question(rows: Sequence[Row], figures: Callable[[Row], Iterable[float]]) -> list[float]:
    """Each question's mean, of those that have a figure."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        found[row["problem_id"]] += figures(row)
    return [float(np.mean(values)) for values in found.values() if values]


def _share(rows: Sequence[Row], figures: Callable[[Row], Iterable[float]]) -> Share | None:
    """The mean over questions, with its 95 % interval."""
    means = _by_question(rows, figures)
    if not means:
        return None
    band = value_band(means)
    return Share(value=float(np.mean(means)), low=band.low if band else None, high=band.high if band else None)
