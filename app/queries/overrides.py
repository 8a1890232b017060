"""Scores with the verdicts that people gave, beside those of the grader: never one in the place of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from app.queries.index import RunIndex
from app.queries.keys import KEY_COLUMNS, RowKey


@dataclass(frozen=True, slots=True, kw_only=True)
class BothScores:
    """avg@n of one evaluation, as graded and as people overrode it."""

    benchmark: str
    step: int
    fingerprint: str
    num_problems: int
    num_samples: int
    original: float
    """Mean over problems of the share of right samples, as in docs/statistics.md."""
    overridden: float
    num_overrides: int
    num_changed: int
    """Overrides that make right of not right, or the other way round."""


def both_scores(index: RunIndex, verdicts: Mapping[RowKey, str]) -> list[BothScores]:
    """Of each evaluation with an override. `verdicts` are the run's overrides; those of unknown rows do nothing."""
    cursor = index.cursor()
    cursor.register(
        "overrides",
        pa.table(
            {
                "benchmark": pa.array([key.benchmark for key in verdicts], pa.string()),
                "step": pa.array([key.step for key in verdicts], pa.int64()),
                "fingerprint": pa.array([key.fingerprint for key in verdicts], pa.string()),
                "problem_id": pa.array([key.problem_id for key in verdicts], pa.string()),
                "sample_index": pa.array([key.sample_index for key in verdicts], pa.int32()),
                "said": pa.array(list(verdicts.values()), pa.string()),
            }
        ),
    )
    rows = cursor.execute(
        f"""
        WITH said AS (
          SELECT benchmark, step, fingerprint, problem_id, (verdict = 'correct')::INT AS graded,
                 (coalesce(said, verdict) = 'correct')::INT AS judged, (said IS NOT NULL)::INT AS is_said
          FROM rollouts LEFT JOIN overrides USING ({", ".join(KEY_COLUMNS)})
          WHERE kind = 'eval'
            AND (benchmark, step, fingerprint) IN (SELECT (benchmark, step, fingerprint) FROM overrides)
        ), problems AS (
          SELECT benchmark, step, fingerprint, problem_id, count(*) AS n, avg(graded) AS graded, avg(judged) AS judged,
                 sum(is_said) AS said, sum((graded <> judged)::INT) AS changed
          FROM said GROUP BY ALL
        )
        SELECT benchmark, step, fingerprint, count(*), sum(n)::BIGINT, avg(graded), avg(judged), sum(said)::BIGINT,
               sum(changed)::BIGINT
        FROM problems GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    return [BothScores(**dict(zip(BothScores.__dataclass_fields__, row, strict=True))) for row in rows]
