"""How often the intervals of reflection and being right hold the truth: raw and matched differences, few and many.

raw      500 questions with one response each, of which 1 to 200 reflect; and questions with many samples and an ease
matched  questions with one or more steps of samples, whose ease and effect vary from question to question

An interval that is not given (fewer than five questions of each kind, or with both) is counted apart. The peer is the
linearised interval without the added questions.

    python benchmarks/reflection_intervals.py [--draws 2000]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _record import keep
from scipy.special import stdtrit

from analysis.texts.outcomes import Difference, OutcomeEffect, outcome_effect

REFLECTING = (1, 2, 5, 10, 20, 50, 100, 200)
Frame = pd.DataFrame
Draw = Callable[[np.random.Generator], tuple[Frame, float]]


def frame(question: np.ndarray, reflects: np.ndarray, correct: np.ndarray) -> Frame:
    columns = {"step": 1, "benchmark": "b", "num_chars": 1, "num_tokens": 1}
    rows = {"problem_id": question, "reflects": reflects.astype(bool), "is_correct": correct.astype(bool)}
    return pd.DataFrame(columns | rows).astype({"is_correct": "boolean"})


def single(num_reflecting: int, p1: float, p0: float) -> Draw:
    def draw(rng: np.random.Generator) -> tuple[Frame, float]:
        reflects = np.arange(500) < num_reflecting
        return frame(np.arange(500), reflects, rng.random(500) < np.where(reflects, p1, p0)), p1 - p0

    return draw


def clustered(questions: int, samples: int, *, effect: float) -> Draw:
    """Ease beta(1, 1) and willingness to reflect beta(1, 2) a question, independent of one another; one effect."""

    def draw(rng: np.random.Generator) -> tuple[Frame, float]:
        ease = np.repeat(rng.random(questions), samples) * (1 - abs(effect)) + max(0.0, -effect)
        reflects = rng.random(questions * samples) < np.repeat(rng.beta(1, 2, questions), samples)
        correct = rng.random(questions * samples) < ease + effect * reflects
        return frame(np.repeat(np.arange(questions), samples), reflects, correct), effect

    return draw


def without_added(features: Frame) -> Difference:
    """The linearised interval of the raw difference."""
    cells = features.assign(correct=features["is_correct"].astype(bool))
    n1 = cells.groupby("problem_id")["reflects"].sum().to_numpy(float)
    n0 = cells.groupby("problem_id")["reflects"].size().to_numpy(float) - n1
    right = cells[cells["reflects"]].groupby("problem_id")["correct"].sum()
    r1 = right.reindex(sorted(cells["problem_id"].unique()), fill_value=0).to_numpy(float)
    r0 = cells.groupby("problem_id")["correct"].sum().to_numpy(float) - r1
    p1, p0 = r1.sum() / n1.sum(), r0.sum() / n0.sum()
    influence = (r1 - p1 * n1) / n1.sum() - (r0 - p0 * n0) / n0.sum()
    num = len(influence)
    half = float(stdtrit(num - 1, 0.975)) * math.sqrt(num / (num - 1) * np.square(influence).sum())
    return Difference(p1 - p0, p1 - p0 - half, p1 - p0 + half)


def coverage(draw: Draw, rng: np.random.Generator, draws: int, kind: str) -> dict[str, Any]:
    held, held_peer, widths, none = 0, 0, [], 0
    for _ in range(draws):
        features, truth = draw(rng)
        effect: OutcomeEffect = outcome_effect(features)
        found = effect.raw if kind == "raw" else effect.matched
        peer = without_added(features) if kind == "raw" else None
        held_peer += peer is not None and peer.low is not None and peer.low <= truth <= (peer.high or 0)
        if found is None or found.low is None or found.high is None:
            none += 1
            continue
        held += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    given = draws - none
    return {
        "given": round(given / draws, 3),
        "holds, of those given": round(held / given, 3) if given else None,
        "mean width": round(float(np.mean(widths)), 3) if widths else None,
        "holds, linearised": round(held_peer / draws, 3) if kind == "raw" else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=2000)
    draws, rng = parser.parse_args().draws, np.random.default_rng(0)
    rows = []
    for num in REFLECTING:
        for p1, p0 in ((0.02, 0.1), (0.1, 0.63), (0.5, 0.63), (0.9, 0.63), (0.98, 0.9)):
            found = coverage(single(num, p1, p0), rng, draws // 4, "raw")
            rows.append({"raw, reflecting of 500": num, "right": p1, "others right": p0} | found)
    for questions, samples in ((5, 16), (10, 16), (30, 16), (30, 64), (200, 8)):
        for effect in (0.0, 0.1, -0.3):
            shape = {"questions": questions, "samples": samples, "effect": effect}
            for kind in ("raw", "matched"):
                found = coverage(clustered(questions, samples, effect=effect), rng, draws // 4, kind)
                rows.append({"kind": kind} | shape | found)
    keep("reflection_intervals", {"draws": draws // 4, "table": rows})


if __name__ == "__main__":
    main()
