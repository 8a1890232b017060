"""Parts of a score: by subject, category, type of instruction. Pure functions; formulas in docs/statistics.md."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.records.intervals import question_interval
from orz_bench.records.summary import Part
from orz_bench.results.statistics import average, question_band, question_error

_LEVELS = ("strict", "loose")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedSample:
    """The part of a rollout that a breakdown uses."""

    problem_id: str
    is_correct: bool
    extra: Mapping[str, Any]


def break_down(samples: Sequence[PartedSample], keys: Iterable[str]) -> dict[str, dict[str, Part]]:
    """{key: {value: part}}: the score of the questions that have that value, values in the order of their names.

    A key that no question has is left out.

    Where answers were checked against instructions: the four figures of IFEval and each type of instruction, too.
    """
    parts = {key: found for key in keys if (found := _by_value(samples, key))}
    if any("instructions" in sample.extra for sample in samples):
        parts |= {"measure": _measures(samples), "instruction (strict)": _by_instruction(samples)}
    return parts


def _by_value(samples: Sequence[PartedSample], key: str) -> dict[str, Part]:
    groups: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        if key in sample.extra:
            groups[str(sample.extra[key])][sample.problem_id].append(sample.is_correct)
    return {value: _part(list(groups[value].values())) for value in sorted(groups, key=natural_order)}


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key for sorting: numbers inside names by size, `Level 2` before `Level 10`."""
    pieces = re.split(r"(\d+)", name)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]


def _part(outcomes: Sequence[Sequence[bool]]) -> Part:
    band = question_band(outcomes)
    return Part(
        value=average(outcomes),
        standard_error=question_error(outcomes) or (band.error if band else None),
        num=len(outcomes),
        low=band.low if band else None,
        high=band.high if band else None,
    )


def _measures(samples: Sequence[PartedSample]) -> dict[str, Part]:
    """Prompts and instructions, strictly and loosely checked."""
    measures = {}
    for level in _LEVELS:
        questions = _followed(samples, level)
        measures[f"prompt, {level}"] = _part([[all(one) for one in group] for group in questions])
        measures[f"instruction, {level}"] = _clustered(questions)
    return measures


def _by_instruction(samples: Sequence[PartedSample]) -> dict[str, Part]:
    types = {one["id"] for sample in samples for one in sample.extra["instructions"]}
    return {name: _clustered(_followed(samples, "strict", only=name)) for name in sorted(types, key=natural_order)}


def _followed(samples: Sequence[PartedSample], level: str, *, only: str | None = None) -> list[list[list[bool]]]:
    """Question by question, sample by sample: which instructions (of one type) were followed; none, no question."""
    questions: dict[str, list[list[bool]]] = defaultdict(list)
    for sample in samples:
        found = [bool(one[level]) for one in sample.extra["instructions"] if only in (None, one["id"])]
        if found:
            questions[sample.problem_id].append(found)
    return list(questions.values())


def _clustered(questions: Sequence[Sequence[Sequence[bool]]]) -> Part:
    """The share over all outcomes; its standard error is that of a ratio, over redrawn questions (linearised)."""
    num = sum(len(group[0]) for group in questions)
    clusters = [[outcome for followed in group for outcome in followed] for group in questions]
    total = sum(map(len, clusters))
    share = sum(map(sum, clusters)) / total
    count = len(clusters)
    if count < 2:
        return Part(value=share, standard_error=None, num=num)
    residuals = sum((sum(cluster) - share * len(cluster)) ** 2 for cluster in clusters)
    error = math.sqrt(residuals * count / (count - 1)) / total
    band = question_interval(share, error=error, num_questions=count, num_samples=total)
    assert band is not None, "a known error has an interval"
    return Part(value=share, standard_error=error or band.error, num=num, low=band.low, high=band.high)
