"""Prepares metrics.jsonl for resuming: drops rows after the checkpoint, and repairs duplicate or lost rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow.compute as pc

from orz_bench.errors import OrzError, RunDirError, counted
from orz_bench.records.parquet import rollouts_from_table
from orz_bench.records.run_dir import RunDir
from orz_rl.training.identity import saved_settings
from orz_rl.training.step_metrics import sampled_row

Row = dict[str, Any]
_OF_CONTENT = {
    "response/repetition": "completion",
    "response/duplicates": "completion",
    "response/prompt_length_mean": "prompt_token_ids",
    "reflection/rate": "completion",
    "reflection/per_response": "completion",
    "reflection/correct_length_mean": "completion",
    "format/adherence": "completion",
}
"""Metrics that cannot be computed from rows without this column (rollouts.keep)."""


def rewind_metrics(run: RunDir, step: int, *, notice: Callable[[str], None]) -> list[Row]:
    """Keep one row for each of the steps 1 to `step`, in order, and return them; later rows will be written again.

    See metrics_until().
    """
    kept = metrics_until(run, step, notice=notice)
    if run.metrics_path.exists() or kept:
        run.write_metrics(kept)
    return kept


def metrics_until(run: RunDir, step: int, *, notice: Callable[[str], None]) -> list[Row]:
    """One row for each of the steps 1 to `step`, in order.

    Of duplicate rows the last counts. A lost row is replaced by the metrics that follow from its step's rollouts.
    Both are reported. Raises RunDirError if the rollouts are lost as well.
    """
    rows, _ = run.metrics()
    found = {row["step"]: row for row in rows}
    num_duplicates = sum(row["step"] <= step for row in rows) - sum(number <= step for number in found)
    if num_duplicates:
        notice(
            f"{run.metrics_path}: found {counted(num_duplicates, 'duplicate row')}; the last row of each step is kept"
        )
    lost = [number for number in range(1, step + 1) if number not in found]
    if lost:
        found |= {number: _restored(run, number) for number in lost}
        notice(
            f"{run.metrics_path}: rows are missing or torn (steps {', '.join(map(str, lost))}); metrics that follow "
            f"from the rollouts are restored, the others (losses, for example) are absent"
        )
    return [found[number] for number in range(1, step + 1)]


def _rollouts_each_step(run: RunDir) -> int:
    """As configured; 0 if the settings cannot be read."""
    try:
        saved = saved_settings(run)
        return saved.config().num_rollouts if saved else 0
    except OrzError:
        return 0


def _restored(run: RunDir, step: int) -> Row:
    folder = run.rollouts(step)
    table = folder.read()
    # Rows that were set aside stand behind those of the step. Neither they nor rows that reward.truncated masks have an
    # advantage.
    places = pc.indices_nonzero(pc.is_valid(table["advantage"]))
    last = places[-1].as_py() + 1 if len(places) else 0
    table = table.slice(0, max(last, _rollouts_each_step(run)))
    without = [name for name, column in _OF_CONTENT.items() if table[column].null_count]
    if table["completion"].null_count:
        table = table.set_column(
            table.schema.get_field_index("completion"), "completion", pc.fill_null(table["completion"], "")
        )
    rollouts = rollouts_from_table(table)
    if not rollouts:
        raise RunDirError(
            f"{run.metrics_path}: the row of step {step} is missing, and so are its rollouts in {folder.path}. Restore "
            f"one of them from a copy, or start a new run (--out) from a checkpoint of this one."
        )
    row = sampled_row(step, rollouts)
    return {name: value for name, value in row.items() if name not in without}
