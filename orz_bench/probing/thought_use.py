"""Outcome efficiency and underthinking of stored responses; formulas and sources: docs/thoughts.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orz_bench.errors import ConfigError
from orz_bench.probing.first_right import equality_of, first_right, is_a_value
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.thoughts import Share, ThoughtUse, write_thought_use
from orz_bench.results.lookup import no_evaluation
from orz_bench.results.statistics import value_band

POSITIONS = tuple(at / 20 for at in range(21))
_COLUMNS = ("problem_id", "sample_index", "gold", "completion", "extracted", "verdict", "num_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Where one response first concludes its right answer, and the answer to another question, as shares of it."""

    problem_id: str
    is_right: bool
    length: float
    first: float | None
    """None if it never does."""
    first_by_chance: float | None


def evaluations_of(run: Path, *, benchmarks: Sequence[str], step: int | None) -> list[EvaluationDir]:
    """The run's finished evaluations of that choice. RunDirError if it is not a run, ConfigError if there are none."""
    directory = RunDir(run)
    directory.info()
    finished = [each for each in directory.evaluations() if each.result() is not None]
    if not finished:
        raise ConfigError(no_evaluation(run))
    chosen = [
        each
        for each in finished
        if (not benchmarks or each.benchmark in benchmarks) and (step is None or each.step == step)
    ]
    if not chosen:
        have = ", ".join(sorted({f"{each.benchmark} at step {each.step}" for each in finished}))
        raise ConfigError(f"{run}: no evaluation of that choice; it has {have}.")
    return chosen


def thought_use(directory: EvaluationDir) -> ThoughtUse:
    """Everything about one evaluation. ConfigError if no response has a text, a verdict and a gold that is a value."""
    rows = sorted(directory.read(list(_COLUMNS)).to_pylist(), key=lambda row: (row["problem_id"], row["sample_index"]))
    usable = [row for row in rows if row["completion"] and row["verdict"] is not None and is_a_value(row["gold"])]
    if not usable:
        raise ConfigError(
            f"{directory.path}: no response has a text, a verdict and a gold that a sentence could conclude; programs "
            f"and instructions cannot be probed, and imported files need --grade."
        )
    has_tokens = all(row["num_tokens"] is not None for row in usable)
    timed = _timed(usable, length_of=lambda row: row["num_tokens"] if has_tokens else len(row["completion"]))
    right, wrong = ([each for each in timed if each.is_right is side] for side in (True, False))
    return ThoughtUse(
        num_questions=len({each.problem_id for each in timed}),
        num_right=len(right),
        num_wrong=len(wrong),
        num_left_out=len(rows) - len(usable),
        unit="tokens" if has_tokens else "characters",
        mean_length=_mean([each.length for each in right]),
        mean_first=_mean([each.length * _or_end(each.first) for each in right]),
        outcome_efficiency=_share(right, lambda each: _or_end(each.first)),
        underthinking=_share(wrong, lambda each: 1 - _or_end(each.first)),
        reached=_share(wrong, lambda each: float(each.first is not None)),
        reached_by_chance=_share(wrong, lambda each: float(each.first_by_chance is not None)),
        underthinking_by_chance=_share(wrong, lambda each: 1 - _or_end(each.first_by_chance)),
        positions=POSITIONS,
        right_by=_concluded_by([each.first for each in right]),
        wrong_by=_concluded_by([each.first for each in wrong]),
        chance_by=_concluded_by([each.first_by_chance for each in wrong]),
    )


def kept_thought_use(directory: EvaluationDir) -> ThoughtUse:
    """The same, kept beside the samples; an earlier result is replaced."""
    found = thought_use(directory)
    write_thought_use(directory, found)
    return found


def _timed(rows: Sequence[Mapping[str, Any]], *, length_of: Callable[[Mapping[str, Any]], float]) -> list[Timed]:
    golds = {row["problem_id"]: row["gold"] for row in rows}
    others = _golds_of_others(golds)
    equal = equality_of(list(golds.values()))
    found = []
    for row in rows:
        text, is_right = row["completion"], row["verdict"] == "correct"
        wanted = [row["gold"]] + ([row["extracted"]] if is_right and row["extracted"] else [])
        other = others.get(row["problem_id"])
        found.append(
            Timed(
                problem_id=row["problem_id"],
                is_right=is_right,
                length=length_of(row),
                first=_place(text, wanted, equal=equal),
                first_by_chance=None if is_right or other is None else _place(text, [other], equal=equal),
            )
        )
    return found


def _place(text: str, answers: Sequence[str], *, equal: Callable[[str, str], bool]) -> float | None:
    end = first_right(text, answers, equal=equal)
    return None if end is None else end / len(text)


def _golds_of_others(golds: Mapping[str, str]) -> dict[str, str]:
    """For each question the gold of the next one, in their order, that has another; none if all are the same."""
    ids = list(golds)
    found = {}
    for at, problem_id in enumerate(ids):
        following = (golds[ids[(at + step) % len(ids)]] for step in range(1, len(ids)))
        other = next((gold for gold in following if gold != golds[problem_id]), None)
        if other is not None:
            found[problem_id] = other
    return found


def _or_end(place: float | None) -> float:
    return 1.0 if place is None else place


def _share(timed: Sequence[Timed], figure: Callable[[Timed], float]) -> Share | None:
    """The mean over questions of a question's mean."""
    by_question: dict[str, list[float]] = defaultdict(list)
    for each in timed:
        by_question[each.problem_id].append(figure(each))
    if not by_question:
        return None
    means = [float(np.mean(values)) for values in by_question.values()]
    band = value_band(means)
    return Share(value=float(np.mean(means)), low=band.low if band else None, high=band.high if band else None)


def _concluded_by(places: Sequence[float | None]) -> tuple[float, ...]:
    if not places:
        return ()
    known = np.sort([place for place in places if place is not None])
    return tuple((np.searchsorted(known, POSITIONS, side="right") / len(places)).tolist())


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
