"""Are responses that reflect right more often, and is it the reflection, or the question and the length?

Goes in: a features frame. Comes out: P(correct | reflects) - P(correct | does not), as found, and between responses to
the same question of like length, with intervals. Formulas and sources: docs/reflection.md, "Outcomes".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from analysis.lengths import LengthUnit, response_lengths

NUM_LENGTH_BINS = 10
MIN_QUESTIONS = 5
"""Fewer questions tell nothing of the spread between questions, so that there is no interval."""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Difference:
    """P(correct | reflects) - P(correct | does not), between -1 and 1."""

    estimate: float
    low: float | None
    high: float | None
    """The interval; None with fewer than five questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEffect:
    """What reflection and being right have to do with one another. None where there is nothing to compare."""

    num_responses: int
    """Those with a verdict."""
    num_reflecting: int
    accuracy_reflecting: float | None
    accuracy_other: float | None
    raw: Difference | None
    matched: Difference | None
    num_informative_strata: int
    """Strata with responses of both kinds; only these are compared in `matched`."""
    num_strata: int
    num_matched_responses: int
    """Responses in informative strata."""
    num_matched_questions: int
    length_unit: LengthUnit
    confidence: float


def outcome_effect(
    features: pd.DataFrame, *, num_length_bins: int = NUM_LENGTH_BINS, confidence: float = 0.95
) -> OutcomeEffect:
    """Compare the responses that reflect with those that do not; responses without a verdict are left out.

    raw      difference of the two shares
    matched  Mantel-Haenszel weighted mean of the differences within strata: same step and question (as far as the
             frame has them), same length bin. Bins are quantiles of the length within a step and benchmark.

    Both intervals are linearised, clustered by question over all steps, with a t quantile. Without `problem_id` every
    response is a question of its own and nothing is matched.
    """
    rows = _comparable(features, num_length_bins)
    strata = _cells(rows, "stratum")
    informative = strata[(strata["n1"] > 0) & (strata["n0"] > 0)]
    reflecting, other = rows.loc[rows["reflects"], "correct"], rows.loc[~rows["reflects"], "correct"]
    return OutcomeEffect(
        num_responses=len(rows),
        num_reflecting=len(reflecting),
        accuracy_reflecting=float(reflecting.mean()) if len(reflecting) else None,
        accuracy_other=float(other.mean()) if len(other) else None,
        raw=_raw(_cells(rows, "question"), confidence),
        matched=_matched(informative, confidence) if "problem_id" in features.columns else None,
        num_informative_strata=len(informative),
        num_strata=len(strata),
        num_matched_responses=int(informative[["n1", "n0"]].to_numpy().sum()),
        num_matched_questions=int(informative["question"].nunique()),
        length_unit=response_lengths(features).unit,
        confidence=confidence,
    )


def _comparable(features: pd.DataFrame, num_length_bins: int) -> pd.DataFrame:
    """One row a response with a verdict: reflects, correct, and the numbers of its question and of its stratum."""
    graded = features[features["is_correct"].notna()]
    lengths = response_lengths(features).values.loc[features["is_correct"].notna()]
    moment = _numbered(graded, ("step", "benchmark"))
    question = _numbered(graded, ("benchmark", "problem_id")) if "problem_id" in graded else np.arange(len(graded))
    bins = _length_bins(lengths.to_numpy(), moment, num_bins=num_length_bins)
    parts = pd.DataFrame({"moment": moment, "question": question, "bin": bins})
    return pd.DataFrame(
        {
            "reflects": graded["reflects"].to_numpy(bool),
            "correct": graded["is_correct"].to_numpy(bool),
            "question": question,
            "stratum": _numbered(parts, ("moment", "question", "bin")),
        }
    )


def _numbered(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each distinct combination of those of the columns that there are."""
    present = [name for name in columns if name in frame.columns]
    if not present:
        return np.zeros(len(frame), dtype=np.int64)
    return frame.groupby(present, observed=True, dropna=False).ngroup().to_numpy().astype(np.int64)


def _length_bins(
    lengths: Array, moment: np.ndarray[Any, np.dtype[np.int64]], *, num_bins: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The quantile of each length among those of its step, from 0; equal lengths share a bin."""
    ranks = pd.Series(lengths).groupby(moment).rank(method="min", pct=False) - 1
    sizes = pd.Series(lengths).groupby(moment).transform("size")
    return (num_bins * ranks // sizes).to_numpy(np.int64)


def _cells(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """For each stratum: n1, r1 responses that reflect and right ones of them, n0, r0 the others, and the question."""
    reflects, correct = rows["reflects"], rows["correct"]
    counts = pd.DataFrame({"n1": reflects, "r1": reflects & correct, "n0": ~reflects, "r0": ~reflects & correct})
    cells = counts.astype(np.int64).groupby(rows[by]).sum()
    return cells.assign(question=rows.groupby(by)["question"].first())


def _raw(questions: pd.DataFrame, confidence: float) -> Difference | None:
    n1, r1, n0, r0 = (questions[name].to_numpy(np.float64) for name in ("n1", "r1", "n0", "r0"))
    if not n1.sum() or not n0.sum():
        return None
    share1, share0 = r1.sum() / n1.sum(), r0.sum() / n0.sum()
    influences = (r1 - share1 * n1) / n1.sum() - (r0 - share0 * n0) / n0.sum()
    return _with_interval(share1 - share0, influences, confidence=confidence)


def _matched(strata: pd.DataFrame, confidence: float) -> Difference | None:
    if not len(strata):
        return None
    weight = strata["n1"] * strata["n0"] / (strata["n1"] + strata["n0"])
    difference = strata["r1"] / strata["n1"] - strata["r0"] / strata["n0"]
    by_question = pd.DataFrame({"w": weight, "wd": weight * difference}).groupby(strata["question"]).sum()
    weights, weighted = by_question["w"].to_numpy(), by_question["wd"].to_numpy()
    estimate = weighted.sum() / weights.sum()
    return _with_interval(estimate, (weighted - estimate * weights) / weights.sum(), confidence=confidence)


def _with_interval(estimate: float, influences: Array, *, confidence: float) -> Difference:
    """The estimate, give or take the t quantile times the root of q / (q - 1) sum(influence^2) over q questions."""
    num = len(influences)
    if num < MIN_QUESTIONS:
        return Difference(float(estimate), None, None)
    error = math.sqrt(num / (num - 1) * float(np.square(influences).sum()))
    half = t_quantile((1 + confidence) / 2, num - 1) * error
    return Difference(float(estimate), max(float(estimate) - half, -1.0), min(float(estimate) + half, 1.0))


def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t, within 0.005 from 4 degrees of freedom on at 0.975 (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / degrees**power for power, term in enumerate(terms))
