"""Scores with overridden verdicts next to the grader's scores; neither replaces the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from app.queries.index import RunIndex
from app.queries.keys import KEY_COLUMNS, Response, hash_of_text


@dataclass(frozen=True, slots=True, kw_only=True)
class BothScores:
    """avg@n of one evaluation, as graded and with overrides."""

    benchmark: str
    step: int
    fingerprint: str
    num_problems: int
    num_samples: int
    original: float | None
    """Mean over problems of the share of correct samples (docs/statistics.md).

    None if a sample has no verdict, or samples have been lost."""
    overridden: float | None
    """The same with overrides; None if a sample has no verdict from either the grader or a person, or is lost."""
    num_overrides: int
    num_changed: int
    """Overrides that change correct to not correct, or vice versa."""


def both_scores(index: RunIndex, verdicts: Mapping[Response, str]) -> list[BothScores]:
    """The scores of each evaluation with an override.

    `verdicts` are the run's overrides; those for missing rows, or rows with another text now, are ignored.
    """
    keys = [response.key for response in verdicts]
    cursor = index.cursor()
    cursor.register(
        "overrides",
        pa.table(
            {
                "benchmark": pa.array([key.benchmark for key in keys], pa.string()),
                "step": pa.array([key.step for key in keys], pa.int64()),
                "fingerprint": pa.array([key.fingerprint for key in keys], pa.string()),
                "problem_id": pa.array([key.problem_id for key in keys], pa.string()),
                "sample_index": pa.array([key.sample_index for key in keys], pa.int32()),
                "said_of": pa.array([hash_of_text(response.text_hash) for response in verdicts], pa.uint64()),
                "said": pa.array(list(verdicts.values()), pa.string()),
            }
        ),
    )
    rows = cursor.execute(
        f"""
        WITH said AS (
          SELECT r.benchmark, r.step, r.fingerprint, r.problem_id, r.folder IN (FROM incomplete) AS is_incomplete,
                 (r.verdict = 'correct')::INT AS graded,
                 (coalesce(said, r.verdict) = 'correct')::INT AS judged, (said IS NOT NULL)::INT AS is_said
          FROM rollouts r LEFT JOIN overrides o
            ON {" AND ".join(f"r.{name} = o.{name}" for name in KEY_COLUMNS)}
            AND (o.said_of IS NULL OR o.said_of = r.text_hash)
          WHERE r.kind = 'eval'
            AND (r.benchmark, r.step, r.fingerprint) IN (SELECT (benchmark, step, fingerprint) FROM overrides)
        ), problems AS (
          SELECT benchmark, step, fingerprint, problem_id, count(*) AS n, avg(graded) AS graded, avg(judged) AS judged,
                 count(graded) = count(*) AND NOT bool_or(is_incomplete) AS is_graded,
                 count(judged) = count(*) AND NOT bool_or(is_incomplete) AS is_judged,
                 sum(is_said) AS said, sum((coalesce(graded, 0) <> coalesce(judged, 0))::INT) AS changed
          FROM said GROUP BY ALL
        )
        SELECT benchmark, step, fingerprint, count(*), sum(n)::BIGINT,
               CASE WHEN bool_and(is_graded) THEN avg(graded) END,
               CASE WHEN bool_and(is_judged) THEN avg(judged) END, sum(said)::BIGINT, sum(changed)::BIGINT
        FROM problems GROUP BY ALL HAVING sum(said) > 0 ORDER BY ALL
        """
    ).fetchall()
    return [BothScores(**dict(zip(BothScores.__dataclass_fields__, row, strict=True))) for row in rows]
