"""The newest rollouts of a training: its steps with rollouts, and the figures of a selection."""

from __future__ import annotations

from dataclasses import dataclass

from app.queries.index import RunIndex
from app.queries.selection import Selection


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the rollouts of a selection; None is unknown."""

    num: int
    num_graded: int
    num_correct: int
    mean_reward: float | None
    mean_tokens: float | None
    num_truncated: int


def sampled_steps(index: RunIndex) -> list[int]:
    """The steps of training that have rollouts, in order."""
    rows = index.cursor().execute("SELECT DISTINCT step FROM rollouts WHERE kind = 'train' ORDER BY step").fetchall()
    return [step for (step,) in rows]


def figures(index: RunIndex, selection: Selection) -> Figures:
    """Counts and means."""
    row = index.cursor().execute(
        "SELECT count(*), count(verdict), count(*) FILTER (verdict = 'correct'), avg(reward), avg(num_tokens), "
        f"count(*) FILTER (stop_reason = 'length') FROM rollouts WHERE id IN (SELECT id FROM {selection.table.name})"
    ).fetchone()  # fmt: skip
    assert row is not None
    return Figures(*row)
