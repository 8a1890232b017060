"""metrics.jsonl when a run goes on: rows after the checkpoint go, and what is doubled or lost is notifyd and mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.run_dir import RunDir
from orz_rl.training.step_metrics import sampled_row

Row = dict[str, Any]


def rewind_metrics(run: RunDir, step: int, *, notify: Callable[[str], None]) -> list[Row]:
    """Leave one row for each of the steps 1 to `step`, in order; the later ones will be written again. Returns those.

    Of a doubled row the last stays. For a lost one, what follows from the rollouts of its step is written again. Both
    are told. Raises RunDirError where the rollouts are lost, too.
    """
    rows, _ = run.metrics()
    found = {row["step"]: row for row in rows}
    num_doubled = sum(row["step"] <= step for row in rows) - sum(number <= step for number in found)
    if num_doubled:
        notify(f"{run.metrics_path}: {num_doubled} rows of steps that have one already; the last of each stays")
    lost = [number for number in range(1, step + 1) if number not in found]
    if lost:
        found |= {number: _restored(run, number) for number in lost}
        notify(
            f"{run.metrics_path}: the rows of steps {', '.join(map(str, lost))} are lost or torn; what follows from "
            f"their rollouts is written again, losses and the like are absent"
        )
    kept = [found[number] for number in range(1, step + 1)]
    if run.metrics_path.exists() or kept:
        run.write_metrics(kept)
    return kept


def _restored(run: RunDir, step: int) -> Row:
    folder = run.rollouts(step)
    rollouts = [row for row in rollouts_from_table(folder.read()) if row.advantage is not None]
    if not rollouts:
        raise RunDirError(
            f"{run.metrics_path}: the row of step {step} is lost, and so are its rollouts in {folder.path}. Restore "
            f"one of them from a copy, or start a new run (--out) from a checkpoint of this one."
        )
    return sampled_row(step, rollouts)
