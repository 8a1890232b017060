"""The stored answers to one question, as the rules of test-time scaling see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from orz_bench.records.values import Assessment, ValueSummary
from orz_bench.results.statistics import answer_key

Array = np.ndarray[Any, Any]
RIGHT, NO_ANSWER = 0, -1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """What the rules know of one sample."""

    is_correct: bool
    extracted: str | None
    """None for a response without an answer."""
    length: float
    """In tokens, or in characters for all samples of an evaluation."""
    value: ValueSummary | None = None
    """What a critic thinks of it; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """n samples of a question, in the order of their indices."""

    problem_id: str
    answers: Array
    """The class of each sample's answer: RIGHT, NO_ANSWER, or the number of a wrong answer from 1 on."""
    lengths: Array
    knows_answers: bool = True
    """False if the texts of answers are unknown: then only which are right is."""
    values: Mapping[Assessment, Array] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n(self) -> int:
        """The number of samples."""
        return len(self.answers)

    @property
    def num_classes(self) -> int:
        """The right answer and all wrong ones."""
        return max(RIGHT, int(self.answers.max())) + 1

    @property
    def is_right(self) -> Array:
        """For each sample."""
        found: Array = self.answers == RIGHT
        return found

    @classmethod
    def of(cls, problem_id: str, samples: Sequence[StoredAnswer], *, knows_answers: bool = True) -> AnsweredQuestion:
        """All right answers are one class, however they are written; wrong ones are compared as text without spaces."""
        classes: dict[str, int] = {}
        answers = [_class_of(sample, classes) for sample in samples]
        if not knows_answers:
            answers = [RIGHT if sample.is_correct else 1 + at for at, sample in enumerate(samples)]
        values = [sample.value for sample in samples if sample.value is not None]
        has_values = len(values) == len(samples)
        return cls(
            problem_id=problem_id,
            answers=np.array(answers),
            lengths=np.array([sample.length for sample in samples], dtype=float),
            knows_answers=knows_answers,
            values=MappingProxyType(_columns(values) if has_values else {}),
        )


def _class_of(sample: StoredAnswer, classes: dict[str, int]) -> int:
    if sample.is_correct:
        return RIGHT
    if sample.extracted is None:
        return NO_ANSWER
    return classes.setdefault(answer_key(sample.extracted), len(classes) + 1)


def _columns(values: Iterable[ValueSummary]) -> dict[Assessment, Array]:
    rows = list(values)
    return {
        "final": np.array([row.final for row in rows]),
        "minimum": np.array([row.minimum for row in rows]),
        "mean": np.array([row.mean for row in rows]),
    }
