"""What a run has lost: evaluations with fewer samples than their summary counts, and steps with damaged parts."""

from __future__ import annotations

from dataclasses import dataclass

from app.queries.index import RunIndex


@dataclass(frozen=True, slots=True)
class Loss:
    """An evaluation or a training step that is incomplete."""

    benchmark: str
    """Empty for training."""
    step: int
    fingerprint: str
    num_lost: int | None
    """None where nothing says how many there were."""
    num_samples: int | None

    @property
    def told(self) -> str:
        """`math500, step 20: 14 of 40`."""
        of = f": {self.num_lost:,} of {self.num_samples:,}" if self.num_lost and self.num_samples else ""
        return f"{self.benchmark or 'training'}, step {self.step:,}{of}"


def losses(index: RunIndex) -> list[Loss]:
    """Evaluations first, by benchmark and step."""
    rows = index.cursor().execute(
        "SELECT coalesce(benchmark, ''), step, fingerprint, num_samples - coalesce(num, 0), num_samples FROM folders "
        "LEFT JOIN (SELECT folder, count(*) AS num FROM rollouts GROUP BY 1) USING (folder) "
        "WHERE folder IN (FROM incomplete) ORDER BY kind, 1, 2, 3"
    ).fetchall()  # fmt: skip
    return [Loss(*row) for row in rows]
