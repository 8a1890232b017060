"""Pass rates of questions by checkpoint: the data of the matrix, its margins and its orders.

A column is a checkpoint under one protocol, or a run at its last one. Incomplete checkpoints have no rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from app.queries.index import FAILED, NOT_GRADED, RunIndex
from app.queries.keys import natural

MatrixOrder = Literal["learned", "forgotten", "unstable", "hardest", "id"]


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """Checkpoints that can be compared: the evaluations of a benchmark under one protocol, or training steps."""

    benchmark: str
    fingerprint: str
    """Empty for training."""
    num_steps: int
    num_incomplete: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Questions x columns. Arrays are float, NaN for a question that was not asked or has no verdict there."""

    problems: tuple[str, ...]
    columns: tuple[str, ...]
    """Their titles."""
    shares: np.ndarray
    """Questions x columns: correct / graded samples, 0 to 1."""
    graded: np.ndarray
    """Questions x columns: number of samples with a verdict."""

    def chosen(self, rows: Sequence[int]) -> Matrix:
        """These questions in this order."""
        at = np.asarray(rows, dtype=int)
        problems = tuple(self.problems[row] for row in rows)
        return Matrix(problems=problems, columns=self.columns, shares=self.shares[at], graded=self.graded[at])


def series_of(index: RunIndex) -> list[Series]:
    """The series of a run: those of evaluations first, the longest of each benchmark first."""
    rows = (
        index.cursor()
        .execute(
            "SELECT benchmark, fingerprint, count(DISTINCT step) FILTER (folder NOT IN (FROM incomplete)), "
            "count(DISTINCT step) FILTER (folder IN (FROM incomplete)) FROM rollouts GROUP BY benchmark, fingerprint "
            "ORDER BY fingerprint = '', benchmark, 3 DESC, fingerprint"
        )
        .fetchall()
    )
    return [Series(*row) for row in rows]


def steps_of(index: RunIndex, benchmark: str, *, fingerprint: str) -> list[int]:
    """The steps of a series that have lost no sample."""
    rows = (
        index.cursor()
        .execute(
            "SELECT DISTINCT step FROM rollouts WHERE benchmark = ? AND fingerprint = ? "
            "AND folder NOT IN (FROM incomplete) ORDER BY step",
            [benchmark, fingerprint],
        )
        .fetchall()
    )
    return [step for (step,) in rows]


def unrated(index: RunIndex, benchmark: str, *, fingerprint: str) -> dict[int, str]:
    """The complete steps of a series without a verdict, and why they have none."""
    rows = (
        index.cursor()
        .execute(
            "SELECT step, bool_and(is_silent) FROM rollouts WHERE benchmark = ? AND fingerprint = ? "
            "AND folder NOT IN (FROM incomplete) GROUP BY step HAVING count(verdict) = 0 ORDER BY step",
            [benchmark, fingerprint],
        )
        .fetchall()
    )
    return {step: FAILED if is_silent else NOT_GRADED for step, is_silent in rows}


def rates(index: RunIndex, benchmark: str, *, fingerprint: str, step: int | None = None) -> Matrix:
    """The questions of a series in natural order x its complete steps, or x one of them."""
    problems, steps, correct, graded = _counts(index, benchmark, fingerprint=fingerprint, step=step)
    names, rows = _numbered(problems)
    numbers, columns = np.unique(steps, return_inverse=True)
    shape = (len(names), len(numbers))
    right, total = np.zeros(shape), np.zeros(shape)
    right[rows, columns], total[rows, columns] = correct, graded
    with np.errstate(invalid="ignore"):
        shares = right / np.where(total > 0, total, np.nan)
    return Matrix(problems=names, columns=tuple(str(number) for number in numbers), shares=shares, graded=total)


def _counts(
    index: RunIndex, benchmark: str, *, fingerprint: str, step: int | None
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    found = (
        index.cursor()
        .execute(
            "WITH counts AS (SELECT problem_id, step, count(*) FILTER (verdict = 'correct') AS correct, "
            "count(verdict) AS graded FROM rollouts WHERE benchmark = ? AND fingerprint = ? "
            "AND (? IS NULL OR step = ?) AND folder NOT IN (FROM incomplete) GROUP BY ALL) "
            f"FROM counts ORDER BY {natural('problem_id')}, step",
            [benchmark, fingerprint, step, step],
        )
        .fetchnumpy()
    )
    step_, correct, graded = (np.asarray(found[name], dtype=np.int64) for name in ("step", "correct", "graded"))
    return list(map(str, found["problem_id"])), step_, correct, graded


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Each name once in order, and for every entry the number of its name."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(name, len(numbers)) for name in names]
    return tuple(numbers), np.asarray(rows, dtype=int)


def side_by_side(columns: Mapping[str, Matrix]) -> Matrix:
    """Matrices of one column as the columns of one: the questions of any of them."""
    problems = tuple(dict.fromkeys(problem for one in columns.values() for problem in one.problems))
    at = {problem: row for row, problem in enumerate(problems)}
    shares = np.full((len(problems), len(columns)), np.nan)
    graded = np.zeros_like(shares)
    for number, one in enumerate(columns.values()):
        rows = [at[problem] for problem in one.problems]
        shares[rows, number], graded[rows, number] = one.shares[:, 0], one.graded[:, 0]
    return Matrix(problems=problems, columns=tuple(columns), shares=shares, graded=graded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Figures of every question over the columns that have it; NaN where there is none."""

    mean: np.ndarray
    first: np.ndarray
    last: np.ndarray
    learned: np.ndarray
    """Last minus first share."""
    forgotten: np.ndarray
    """Largest share minus the last one."""
    unstable: np.ndarray
    """Sum of the absolute changes, beyond that from the first to the last."""


def margins(matrix: Matrix) -> Margins:
    """The figures of each question. A share that is missing between two others is skipped."""
    known = [row[np.isfinite(row)] for row in matrix.shares]
    first, last = (np.array([row[at] if len(row) else np.nan for row in known]) for at in (0, -1))
    best = np.array([row.max() if len(row) > 1 else np.nan for row in known])
    travelled = np.array([np.abs(np.diff(row)).sum() if len(row) > 1 else np.nan for row in known])
    learned = np.where([len(row) > 1 for row in known], last - first, np.nan)
    return Margins(
        mean=np.array([row.mean() if len(row) else np.nan for row in known]),
        first=first,
        last=last,
        learned=learned,
        forgotten=best - last,
        unstable=travelled - np.abs(learned),
    )


_KEYS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {"learned": ("learned", -1.0), "forgotten": ("forgotten", -1.0), "unstable": ("unstable", -1.0),
     "hardest": ("mean", 1.0)}
)  # fmt: skip


def ordered(matrix: Matrix, order: MatrixOrder) -> Matrix:
    """The questions in that order; those without the figure last, ties in natural order."""
    if order == "id" or not matrix.problems:
        return matrix
    name, sign = _KEYS[order]
    values = sign * np.round(getattr(margins(matrix), name), 9)
    return matrix.chosen(np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable").tolist())


def column_means(matrix: Matrix) -> np.ndarray:
    """The mean share of each column over its questions; NaN for one without verdicts."""
    known = np.isfinite(matrix.shares)
    total = np.where(known, matrix.shares, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
