"""Weights & Biases: a run's history (CSV, JSON lines, Parquet), a panel's export, `.wandb` files of offline runs.

`_step` counts the calls of `log`; where the trainer declares another step (`define_metric`), that one counts.
A history has `_step`, with `_runtime` or `_timestamp`, or metrics of runs by name: `run - metric`, with the lowest and
highest values of the steps in one point behind `__MIN` and `__MAX`, which are left out. Tables of responses are read as
tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats.format import Contents, Curve, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.table import has_response
from orz_bench.exchange.logs.wandb_files import read_run
from orz_bench.records.curve_tables import is_step_name
from orz_bench.records.foreign_metrics import logged_by, tool_of
from orz_bench.records.metric_names import DECLARED_STEPS

_STAMPS = ("_runtime", "_timestamp", "_wandb")
_OF_RUN = re.compile(r"(?P<run>.+?) - (?P<metric>.+?)(?P<range>__MIN|__MAX)?")
_BOOKKEEPING = ("_runtime", "_timestamp")


def read(head: Head) -> Contents | None:
    """A history, a panel, a run's file, or its summary."""
    if head.container == "wandb":
        return _run_file(head)
    if head.container == "object" and head.has("_step") and head.has("_wandb"):
        return Contents(
            what="a summary of a W&B run: the last values alone", kind="nothing", instead="the run's history"
        )
    if head.container not in ("lines", "csv", "parquet", "list") or has_response(head.row):
        return None
    if _is_history(head):
        rows = list(head.all_rows())
        return _history(rows, what=f"a W&B history of {counted(len(rows), 'row')}")
    if head.container == "csv" and _is_panel(head.row):
        names = {match["run"] for name in head.row if (match := _OF_RUN.fullmatch(name))}
        metrics = {match["metric"] for name in head.row if (match := _OF_RUN.fullmatch(name))}
        what = f"a W&B panel of {counted(len(names), 'run')}{logged_by(metrics)}"
        return Contents(what=what, kind="curves", curves=partial(_panel, head), tool=tool_of(metrics))
    return None


def _is_history(head: Head) -> bool:
    names = {name for row in head.rows if isinstance(row, dict) for name in row}
    return "_step" in names and any(name in names for name in _STAMPS)


def _is_panel(row: dict[str, Any]) -> bool:
    first, *others = row or [""]
    return is_step_name(first) and bool(others) and all(_OF_RUN.fullmatch(name) for name in others)


def _history(
    rows: list[dict[str, Any]], *, what: str, step_column: str | None = None, notes: tuple[str, ...] = ()
) -> Contents:
    names = {name for row in rows for name in row}
    declared = [name for name in DECLARED_STEPS if name in names] if step_column is None else [step_column]
    if declared:
        notes = (*notes, f"the step is {declared[0]}, which the trainer declares; _step counts its calls")
    return Contents(
        what=f"{what}{logged_by(names)}",
        kind="curves",
        curves=partial(_without_times, rows),
        step_column=step_column,
        tool=tool_of(names),
        notes=notes,
    )


def _without_times(rows: list[dict[str, Any]]) -> Iterator[Curve]:
    for row in rows:
        yield {name: value for name, value in row.items() if name not in _BOOKKEEPING and not isinstance(value, dict)}


def _run_file(head: Head) -> Contents:
    run = read_run(head.path.read_bytes())
    what = f"a W&B run{f' {run.name!r}' if run.name else ''}"
    if not run.history:
        return Contents(what=f"{what} without history", kind="nothing", instead="a run that has logged something")
    notes = () if run.is_whole else ("its last record is not whole: left out",)
    declared = run.step_metrics - {"_step"}
    if len(declared) > 1:
        notes = (*notes, f"several steps are declared ({', '.join(sorted(declared))})")
    return _history(
        run.history,
        what=f"{what} with {counted(len(run.history), 'row')} of history",
        step_column=declared.pop() if len(declared) == 1 else None,
        notes=notes,
    )


def _panel(head: Head) -> Iterator[Curve]:
    for row in head.all_rows():
        first = next(iter(row), "")
        step = row.get(first) if is_step_name(first) else None
        for name, value in row.items():
            match = _OF_RUN.fullmatch(name)
            if match and not match["range"]:
                yield {"run": match["run"], "step": step, "metric": match["metric"], "value": value}


FORMAT = Format(name="wandb", title="Weights & Biases", read=read)
