"""Replies of a pool of worker processes, with a memo in front of it."""

from __future__ import annotations

from collections.abc import Sequence

from orz_bench.grading.jobs import Job, Reply, Subject
from orz_bench.grading.judges.judge import Settings
from orz_bench.grading.memo import Memo
from orz_bench.grading.workers.pool import GradingPool

_MEMORABLE = frozenset({"correct", "wrong", "unparseable", "timeout"})
"""Verdicts that do not depend on the load of the machine: a timeout was confirmed while nothing else ran."""


class PooledJudge:
    """Workers of one subject."""

    def __init__(self, subject: Subject, settings: Settings) -> None:
        self._pool = GradingPool(
            subject,
            num_workers=settings.workers,
            deadline_s=settings.deadline_s,
            memory_gib=settings.memory_gib,
        )
        self._memo: Memo[Job] = Memo(_MEMORABLE)

    def replies(self, jobs: Sequence[Job]) -> dict[Job, Reply]:
        """One reply per distinct job."""
        return self._memo.replies(jobs, self._pool.run)

    def close(self) -> None:
        """End the workers."""
        self._pool.close()
