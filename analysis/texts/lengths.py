"""Response lengths, in tokens if the token counts of all responses are known, else in characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

LengthUnit = Literal["tokens", "characters"]


@dataclass(frozen=True)
class Lengths:
    """One length per response."""

    values: pd.Series
    """float64, with the index of the features."""
    unit: LengthUnit


def response_lengths(features: pd.DataFrame) -> Lengths:
    """The lengths of all responses in one unit: num_tokens, or num_chars if any token count is unknown."""
    if "num_tokens" in features.columns and features["num_tokens"].notna().all():
        return Lengths(features["num_tokens"].astype("float64"), "tokens")
    return Lengths(features["num_chars"].astype("float64"), "characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSummary:
    """Statistics of the lengths of some responses."""

    num_responses: int
    mean: float
    median: float
    p95: float
    """Interpolated linearly between the two nearest lengths, as in numpy and metrics.jsonl."""
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthTable:
    """Lengths over all responses and by kind; None if there are no responses of a kind."""

    unit: LengthUnit
    overall: LengthSummary | None
    correct: LengthSummary | None
    wrong: LengthSummary | None
    """Every verdict except correct."""
    truncated: LengthSummary | None
    reflecting: LengthSummary | None
    correct_reflecting: LengthSummary | None
    """Its mean is the paper's average correct reflection length."""


def length_table(features: pd.DataFrame) -> LengthTable:
    """Lengths by kind of response; a response with unknown verdict or stop reason is in neither kind of that pair."""
    lengths = response_lengths(features)
    correct = features["is_correct"].fillna(value=False).to_numpy(bool)
    reflects = features["reflects"].to_numpy(bool)
    kinds = {
        "overall": np.ones(len(features), dtype=bool),
        "correct": correct,
        "wrong": features["is_correct"].notna().to_numpy() & ~correct,
        "truncated": features["is_truncated"].fillna(value=False).to_numpy(bool),
        "reflecting": reflects,
        "correct_reflecting": reflects & correct,
    }
    values = lengths.values.to_numpy()
    return LengthTable(unit=lengths.unit, **{kind: _summary(values[chosen]) for kind, chosen in kinds.items()})


def _summary(lengths: np.ndarray[tuple[int], np.dtype[np.float64]]) -> LengthSummary | None:
    if not len(lengths):
        return None
    return LengthSummary(
        num_responses=len(lengths),
        mean=float(lengths.mean()),
        median=float(np.median(lengths)),
        p95=float(np.quantile(lengths, 0.95)),
        longest=float(lengths.max()),
    )
