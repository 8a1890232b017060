"""How often the 95 % intervals of avg@n hold the truth, beside 1.96 standard errors each way, and how wide they are.

Benchmarks of 5 to 500 questions with 1 to 64 samples each are drawn again and again at accuracies from 0.2 to 99 %.
Their questions are all alike, of mixed difficulty (beta distributed, correlation 0.1, 0.3 or 0.6 within a question), or
all or nothing.
The truth of sampling is the mean of the questions drawn, that of questions the mean of all of the kind.

    python benchmarks/interval_coverage.py [--draws 1000]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from _record import keep
from scipy.special import betainc

from orz_bench.records.intervals import Z_95, binomial_interval, questions_worth, samples_worth

ACCURACIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.18, 0.3, 0.48, 0.7, 0.9, 0.95, 0.98, 0.99)
QUESTIONS = (5, 15, 30, 100, 198, 500)
SAMPLES = (1, 4, 16, 64)
KINDS = ("alike", "mixed 0.1", "mixed 0.3", "mixed 0.6", "all or nothing")
TIES = 0.7
"""As in orz_bench.records.intervals: an interval holds the truth where both tails there are large enough, soon told."""


def shares(rng: np.random.Generator, kind: str, *, mean: float, size: tuple[int, int]) -> np.ndarray:
    if kind == "alike":
        return np.full(size, mean)
    if kind == "all or nothing":
        return (rng.random(size) < mean).astype(float)
    strength = 1 / float(kind.split()[1]) - 1
    return rng.beta(mean * strength, (1 - mean) * strength, size)


def is_held(mean: np.ndarray, trials: np.ndarray, *, truth: Any) -> np.ndarray:
    right, wrong = mean * trials, (1 - mean) * trials
    at_least = np.where(right > 0, betainc(np.maximum(right, 1e-9), wrong + 1, truth), 1.0)
    more = np.where(wrong > 0, betainc(right + 1, np.maximum(wrong, 1e-9), truth), 0.0)
    above = TIES * at_least + (1 - TIES) * more
    below = TIES * (1 - more) + (1 - TIES) * (1 - at_least)
    return ((above >= 0.025) | (mean <= 0)) & ((below >= 0.025) | (mean >= 1))


def cell(rng: np.random.Generator, kind: str, *, mean: float, shape: tuple[int, int, int]) -> dict[str, float]:
    """Shares of the draws in which each interval holds the truth."""
    draws, questions, n = shape
    truth = shares(rng, kind, mean=mean, size=(draws, questions))
    seen = rng.binomial(n, truth) / n
    average, total = seen.mean(axis=1), questions * n
    over_questions = seen.std(axis=1, ddof=1) / np.sqrt(questions)
    worth = np.array(
        [
            questions_worth(m, error=e, num_questions=questions, num_samples=total)
            for m, e in zip(average, over_questions, strict=True)
        ]
    )
    found = {
        "questions": float(is_held(average, worth, truth=mean).mean()),
        "questions_by_error": float((abs(average - mean) <= Z_95 * over_questions).mean()),
    }
    if n > 1:
        within = np.sqrt((seen * (1 - seen)).sum(axis=1) / (n - 1)) / questions
        worth = np.array([samples_worth(m, error=e, num_samples=total) for m, e in zip(average, within, strict=True)])
        fixed = truth.mean(axis=1)
        found["sampling"] = float((is_held(average, worth, truth=fixed) | (abs(average - fixed) < 1e-9)).mean())
        found["sampling_by_error"] = float((abs(average - fixed) <= Z_95 * within + 1e-9).mean())
    return found


def widths(rng: np.random.Generator, kind: str, *, mean: float, shape: tuple[int, int, int]) -> dict[str, float]:
    """Mean width of the intervals over that of 1.96 standard errors each way."""
    draws, questions, n = shape
    seen = rng.binomial(n, shares(rng, kind, mean=mean, size=(draws, questions))) / n
    ours, theirs = np.zeros(2), np.zeros(2)
    for row in seen:
        average = float(row.mean())
        errors = np.sqrt((row * (1 - row)).sum() / (n - 1)) / questions, row.std(ddof=1) / np.sqrt(questions)
        trials = (
            samples_worth(average, error=errors[0], num_samples=questions * n),
            questions_worth(average, error=errors[1], num_questions=questions, num_samples=questions * n),
        )
        ours += [binomial_interval(average, number).error for number in trials]
        theirs += errors
    return {"sampling": round(float(ours[0] / theirs[0]), 3), "questions": round(float(ours[1] / theirs[1]), 3)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    rows = [
        {"kind": kind, "questions_asked": size, "n": n, "accuracy": mean}
        | cell(rng, kind, mean=mean, shape=(draws, size, n))
        for kind in KINDS
        for size in QUESTIONS
        for n in SAMPLES
        for mean in ACCURACIES
    ]
    names = ("sampling", "sampling_by_error", "questions", "questions_by_error")
    worst = {name: min((row for row in rows if name in row), key=lambda row: row[name]) for name in names}
    aime = [
        {"accuracy": mean} | {name: round(min(row[name] for row in rows if _is_aime(row, mean)), 3) for name in names}
        for mean in ACCURACIES
    ]
    middle = {
        f"{kind}, {size} questions, n = {n}, {mean:.0%}": widths(rng, kind, mean=mean, shape=(40, size, n))
        for kind in KINDS[:-1]
        for size, n in ((30, 16), (198, 16), (500, 4))
        for mean in (0.18, 0.3, 0.48)
    }
    result = {
        "draws": draws,
        "cells": len(rows),
        "lowest_coverage": {name: {"coverage": row[name], **_place(row)} for name, row in worst.items()},
        "lowest_of_all_kinds_30_questions_n_16": aime,
        "width_over_standard_errors": middle,
    }
    keep("interval_coverage", result)


def _is_aime(row: dict[str, Any], mean: float) -> bool:
    return bool((row["questions_asked"], row["n"], row["accuracy"]) == (30, 16, mean))


def _place(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("kind", "questions_asked", "n", "accuracy")}


if __name__ == "__main__":
    main()
