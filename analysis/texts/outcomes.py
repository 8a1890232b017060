"""Are responses that reflect correct more often, and is this due to reflection, or to question and length?

Input: a features frame. Output: P(correct | reflects) - P(correct | does not), raw, and between responses to the same
question of similar length, with intervals. Formulas and sources: docs/reflection.md, "Outcomes".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.texts.lengths import LengthUnit, response_lengths

NUM_LENGTH_BINS = 10
MIN_QUESTIONS = 5
"""Minimum number of questions for an interval: fewer say nothing about the spread between questions.

For `raw`, each kind needs so many questions with responses of the kind; for `matched`, questions with both count.
"""

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Difference:
    """P(correct | reflects) - P(correct | does not), between -1 and 1."""

    estimate: float
    low: float | None
    high: float | None
    """End of the interval from `low`; None with fewer than MIN_QUESTIONS questions. It contains the estimate and is
    never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEffect:
    """The relation between reflection and correct answers. None if there is nothing to compare."""

    num_responses: int
    """Responses with a verdict."""
    num_reflecting: int
    accuracy_reflecting: float | None
    accuracy_other: float | None
    raw: Difference | None
    matched: Difference | None
    num_informative_strata: int
    """Strata with responses of both kinds; `matched` compares only these."""
    num_strata: int
    num_matched_responses: int
    """Responses in informative strata."""
    num_matched_questions: int
    length_unit: LengthUnit
    confidence: float


def outcome_effect(
    features: pd.DataFrame, *, num_length_bins: int = NUM_LENGTH_BINS, confidence: float = 0.95
) -> OutcomeEffect:
    """Compare responses that reflect with those that do not; responses without a verdict are ignored.

    raw      difference of the two shares
    matched  Mantel-Haenszel weighted mean of the differences within strata: same step and question (if the frame has
             them), same length bin. Bins are quantiles of the length within a step and benchmark.

    Both intervals are linearised, clustered by question over all steps, and use a t quantile. They are computed with
    added questions with opposite outcomes, because the spread between a few questions that agree is 0 (after Agresti
    and Caffo 2000, American Statistician 54). Without `problem_id` every response is its own question, and nothing is
    matched.
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
    """One row per response with a verdict: reflects, correct, and the numbers of its question and its stratum."""
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
    """A number for each distinct combination of the columns that exist."""
    present = [name for name in columns if name in frame.columns]
    if not present:
        return np.zeros(len(frame), dtype=np.int64)
    return frame.groupby(present, observed=True, dropna=False).ngroup().to_numpy().astype(np.int64)


def _length_bins(
    lengths: Array, moment: np.ndarray[Any, np.dtype[np.int64]], *, num_bins: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The quantile bin of each length within its step, from 0; equal lengths share a bin."""
    ranks = pd.Series(lengths).groupby(moment).rank(method="min", pct=False) - 1
    sizes = pd.Series(lengths).groupby(moment).transform("size")
    return (num_bins * ranks // sizes).to_numpy(np.int64)


def _cells(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """For each stratum: responses that reflect (n1), correct ones of them (r1), the others (n0, r0), the question."""
    reflects, correct = rows["reflects"], rows["correct"]
    counts = pd.DataFrame({"n1": reflects, "r1": reflects & correct, "n0": ~reflects, "r0": ~reflects & correct})
    cells = counts.astype(np.int64).groupby(rows[by]).sum()
    return cells.assign(question=rows.groupby(by)["question"].first())


def _raw(questions: pd.DataFrame, confidence: float) -> Difference | None:
    """The difference of the shares; its interval with one correct and one wrong question added to each kind."""
    counts = questions[["n1", "r1", "n0", "r0"]].to_numpy(np.float64)
    n1, r1, n0, r0 = counts.sum(axis=0)
    if not n1 or not n0:
        return None
    num1, num0 = int((counts[:, 0] > 0).sum()), int((counts[:, 2] > 0).sum())
    size1, size0 = n1 / num1, n0 / num0
    added = [[size1, size1, 0, 0], [size1, 0, 0, 0], [0, 0, size0, size0], [0, 0, size0, 0]]
    n1_q, r1_q, n0_q, r0_q = np.vstack([counts, added]).T
    share1, share0 = r1_q.sum() / n1_q.sum(), r0_q.sum() / n0_q.sum()
    of_one, of_other = (r1_q - share1 * n1_q) / n1_q.sum(), (r0_q - share0 * n0_q) / n0_q.sum()
    variances = float(np.square(of_one).sum()), float(np.square(of_other).sum())
    return _with_interval(
        float(r1 / n1 - r0 / n0),
        influences=of_one - of_other,
        centre=float(share1 - share0),
        degrees=_degrees(variances, (num1 - 1, num0 - 1)),
        confidence=confidence if min(num1, num0) >= MIN_QUESTIONS else None,
    )


def _matched(strata: pd.DataFrame, confidence: float) -> Difference | None:
    """The weighted mean; its interval with two questions of mean weight added, with differences 1 and -1."""
    if not len(strata):
        return None
    weight = strata["n1"] * strata["n0"] / (strata["n1"] + strata["n0"])
    difference = strata["r1"] / strata["n1"] - strata["r0"] / strata["n0"]
    by_question = pd.DataFrame({"w": weight, "wd": weight * difference}).groupby(strata["question"]).sum()
    weights, weighted = by_question["w"].to_numpy(), by_question["wd"].to_numpy()
    num, mean = len(weights), float(weights.mean())
    all_weights, all_weighted = np.append(weights, [mean, mean]), np.append(weighted, [mean, -mean])
    centre = float(all_weighted.sum() / all_weights.sum())
    return _with_interval(
        float(weighted.sum() / weights.sum()),
        influences=(all_weighted - centre * all_weights) / all_weights.sum(),
        centre=centre,
        degrees=num - 1,
        confidence=confidence if num >= MIN_QUESTIONS else None,
    )


def _degrees(variances: tuple[float, float], degrees: tuple[int, int]) -> float:
    """Degrees of freedom of a sum of two independent variances (Satterthwaite 1946)."""
    return sum(variances) ** 2 / math.fsum(v**2 / max(d, 1) for v, d in zip(variances, degrees, strict=True))


def _with_interval(
    estimate: float, *, influences: Array, centre: float, degrees: float, confidence: float | None
) -> Difference:
    """`centre` ± t quantile * sqrt(q / (q - 1) sum(influence^2)); no interval if `confidence` is None."""
    if confidence is None:
        return Difference(estimate, None, None)
    num = len(influences)
    error = math.sqrt(num / (num - 1) * float(np.square(influences).sum()))
    half = float(stdtrit(degrees, (1 + confidence) / 2)) * error
    return Difference(estimate, max(min(estimate, centre - half), -1.0), min(max(estimate, centre + half), 1.0))
