"""Everything about the values of one set of responses: read once, question by question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from analysis.texts.lexicons import Lexicon
from analysis.values.assessed import AssessedResponse, AssessedSet
from analysis.values.calibration import (
    ReliabilityBin,
    auroc,
    auroc_by_question,
    brier,
    expected_calibration_error,
    reliability,
)
from analysis.values.falls import THRESHOLD, Fall, fall_of
from analysis.values.reflections import ReflectionChange, reflection_changes
from analysis.values.repetition import RepetitionDifferences, repetition_differences
from analysis.values.resampling import Estimate, PairedEffect, Questions, paired_effect
from orz_bench.errors import DataError

Array = np.ndarray[Any, Any]
POSITIONS = tuple(tenth / 10 for tenth in range(11))
"""Relative positions of a response: 0 before its first token, 1 before its last."""
NUM_LENGTH_BINS = 4
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """How well values tell right from wrong responses in one group of them; None where undefined."""

    at: float
    """The relative position, the step, or the mean length of the group."""
    num: int
    share_right: float
    mean_right: float | None
    """Mean value of right responses."""
    mean_wrong: float | None
    brier: float
    ece: float
    auroc: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectionEffect:
    """The value's change at reflection words."""

    num_reflections: int
    num_matched: int
    mean_change: float | None
    mean_control: float | None
    """Of the matched ones."""
    effect: PairedEffect | None
    """Change minus control, with equal weight for every question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueStudy:
    """The findings about one set."""

    name: str
    critic: str
    lexicon: str
    num_responses: int
    num_questions: int
    share_right: float
    reliability: tuple[ReliabilityBin, ...]
    """Of the values at all POSITIONS but the first together."""
    by_position: tuple[Discrimination, ...]
    by_step: tuple[Discrimination, ...]
    """Of final values."""
    by_length: tuple[Discrimination, ...]
    """Of final values, in quarters of the length."""
    within_question: PairedEffect | None
    """AUROC of final values within a question, minus 0.5."""
    reflections: Mapping[str, ReflectionEffect]
    """`all`, and of `right` and `wrong` responses."""
    repeated_share: float
    """Of tokens."""
    repetition_value: PairedEffect | None
    repetition_advantage: PairedEffect | None
    threshold: float
    falls: Mapping[str, int]
    """Wrong responses by kind of Fall."""
    fall_quartiles: tuple[float, ...] | None
    """Of the relative position of those that fell."""
    examples: tuple[Fall, ...] = field(default=())
    """Wrong responses with the highest final values."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass
class _Collected:
    """What is kept of each response, and of each question."""

    owners: list[str] = field(default_factory=list)
    at: list[Array] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    changes: list[ReflectionChange] = field(default_factory=list)
    repetitions: list[tuple[str, RepetitionDifferences]] = field(default_factory=list)
    falls: list[Fall] = field(default_factory=list)

    def add(self, group: Sequence[AssessedResponse], *, lexicon: Lexicon, threshold: float) -> None:
        """The responses to one question at one step."""
        for response in group:
            self.owners.append(response.problem_id)
            self.at.append(at_positions(response.values))
            self.right.append(response.is_right)
            self.steps.append(response.step)
            self.lengths.append(response.num_tokens)
            if not response.is_right:
                self.falls.append(fall_of(response, threshold=threshold))
        self.changes += reflection_changes(group, lexicon)
        self.repetitions.append((group[0].problem_id, repetition_differences(group)))


def value_study(source: AssessedSet, lexicon: Lexicon, *, threshold: float = THRESHOLD) -> ValueStudy:
    """Read a set and compute everything. DataError if it has no response with values and a verdict."""
    kept = _Collected()
    for group in source.questions():
        kept.add(group, lexicon=lexicon, threshold=threshold)
    if not kept.owners:
        raise DataError(f"{source.name}: no response has values, a text and a verdict; run orz-bench value again.")
    at, right = np.array(kept.at), np.array(kept.right)
    questions = Questions(kept.owners)
    final, lengths = at[:, -1], np.array(kept.lengths)
    pooled = Questions([owner for owner in kept.owners for _ in POSITIONS[1:]])
    repetitions = [found for _, found in kept.repetitions]
    fell = [one.token / one.num_tokens for one in kept.falls if one.kind == "fell" and one.token is not None]
    return ValueStudy(
        name=source.name,
        critic=source.critic.digest,
        lexicon=lexicon.label,
        num_responses=len(right),
        num_questions=questions.count,
        share_right=float(right.mean()),
        reliability=tuple(reliability(at[:, 1:].ravel(), np.repeat(right, len(POSITIONS) - 1), questions=pooled)),
        by_position=tuple(
            _discrimination(position, at[:, column], right=right, questions=questions)
            for column, position in enumerate(POSITIONS)
        ),
        by_step=tuple(_by_group(np.array(kept.steps, dtype=float), final, right=right, questions=questions)),
        by_length=tuple(_by_group(_length_groups(lengths), final, right=right, questions=questions)),
        within_question=paired_effect(
            {key: area - 0.5 for key, area in auroc_by_question(final, right, owners=kept.owners).items()}
        ),
        reflections=_reflections(kept.changes),
        repeated_share=sum(each.num_repeated for each in repetitions) / sum(each.num_tokens for each in repetitions),
        repetition_value=_repetition(kept.repetitions, lambda found: found.value),
        repetition_advantage=_repetition(kept.repetitions, lambda found: found.advantage),
        threshold=threshold,
        falls=dict(Counter(one.kind for one in kept.falls)),
        fall_quartiles=tuple(np.percentile(fell, [25, 50, 75]).tolist()) if fell else None,
        examples=tuple(sorted(kept.falls, key=lambda one: -one.final_value)[:_MOST_LISTED]),
    )


def at_positions(values: Array) -> Array:
    """The values at POSITIONS."""
    places = np.round(np.array(POSITIONS) * (len(values) - 1)).astype(int)
    found: Array = values[places]
    return found


def _discrimination(
    at: float, values: Array, *, right: Array, questions: Questions, chosen: Array | None = None
) -> Discrimination:
    own = slice(None) if chosen is None else chosen
    values, right = values[own], right[own]
    return Discrimination(
        at=at,
        num=len(right),
        share_right=float(right.mean()),
        mean_right=float(values[right].mean()) if right.any() else None,
        mean_wrong=float(values[~right].mean()) if not right.all() else None,
        brier=brier(values, right),
        ece=expected_calibration_error(values, right),
        auroc=questions.estimate(lambda weights: auroc(values, right, weights=weights), chosen=chosen),
    )


def _by_group(groups: Array, values: Array, *, right: Array, questions: Questions) -> list[Discrimination]:
    return [
        _discrimination(float(group), values, right=right, questions=questions, chosen=groups == group)
        for group in np.unique(groups)
    ]


def _length_groups(lengths: Array) -> Array:
    """For each response the mean length of its quarter."""
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, NUM_LENGTH_BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, lengths, side="left")
    means = np.zeros(len(lengths))
    for group in np.unique(groups):
        means[groups == group] = lengths[groups == group].mean()
    return means


def _reflections(changes: Sequence[ReflectionChange]) -> dict[str, ReflectionEffect]:
    chosen = {
        "all": list(changes),
        "right": [one for one in changes if one.is_right],
        "wrong": [one for one in changes if not one.is_right],
    }
    return {name: _reflection_effect(some) for name, some in chosen.items()}


def _reflection_effect(changes: Sequence[ReflectionChange]) -> ReflectionEffect:
    matched = [(one, one.control) for one in changes if one.control is not None]
    by_question: dict[str, list[float]] = defaultdict(list)
    for one, control in matched:
        by_question[one.problem_id].append(one.change - control)
    return ReflectionEffect(
        num_reflections=len(changes),
        num_matched=len(matched),
        mean_change=float(np.mean([one.change for one, _ in matched])) if matched else None,
        mean_control=float(np.mean([control for _, control in matched])) if matched else None,
        effect=paired_effect({key: float(np.mean(found)) for key, found in by_question.items()}),
    )


def _repetition(
    found: Sequence[tuple[str, RepetitionDifferences]], difference: Callable[[RepetitionDifferences], float | None]
) -> PairedEffect | None:
    by_question: dict[str, list[float]] = defaultdict(list)
    for problem_id, one in found:
        number = difference(one)
        if number is not None:
            by_question[problem_id].append(number)
    return paired_effect({key: float(np.mean(numbers)) for key, numbers in by_question.items()})
