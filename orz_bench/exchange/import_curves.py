"""Curves of other tools -> metrics.jsonl, under our names where the meaning is the same, else under their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orz_bench.errors import DataError, nearest
from orz_bench.exchange.sources import Source
from orz_bench.records.metric_names import STEP_NAMES, metric_names
from orz_bench.records.run_dir import RunDir


def add_curves(source: Source, run: RunDir | None, *, step_column: str | None) -> int:
    """Join a file's rows with the run's metrics by step; the number of steps. Without a run, nothing is written.

    A value of the file replaces one of the same name and step. DataError where the column of steps is in doubt.
    """
    assert source.contents.curves is not None
    rows = list(source.contents.curves())
    column = step_column_of(rows, wanted=step_column, where=str(source.path))
    joined = _joined(rows, column)
    if not joined:
        raise DataError(f"{source.path}: no row has a number under {column}; name a file of curves.")
    if run is not None:
        known = {row["step"]: row for row in run.metrics()[0]}
        for step, values in joined.items():
            known[step] = known.get(step, {"step": step}) | values
        run.write_metrics([known[step] for step in sorted(known)])
    return len(joined)


def step_column_of(rows: Iterable[Mapping[str, Any]], *, wanted: str | None, where: str) -> str:
    """The column with the step. DataError where two fit and differ, because a guess would move every curve."""
    values: dict[str, dict[int, float]] = {}
    names: dict[str, None] = {}
    for number, row in enumerate(rows):
        names.update(dict.fromkeys(row))
        for name in (wanted,) if wanted else STEP_NAMES:
            if (value := _number(row.get(name))) is not None:
                values.setdefault(name, {})[number] = value
    if wanted is not None:
        if wanted not in values:
            raise DataError(
                f"{where}: no column {wanted!r} with numbers{nearest(wanted, names)}; it has {_few(names)}."
            )
        return wanted
    fitting = [name for name in STEP_NAMES if name in values and name != "epoch"]
    if not fitting and "epoch" in values:
        fitting = ["epoch"]
    if not fitting:
        raise DataError(f"{where}: no column of steps ({', '.join(STEP_NAMES)}); name one with --step-column.")
    first, *others = fitting
    doubtful = [name for name in others if values[name] != values[first]]
    if doubtful:
        raise DataError(
            f"{where}: {first} and {', '.join(doubtful)} could both be the step, and they differ; name one with "
            f"--step-column."
        )
    return first


def _joined(rows: Iterable[Mapping[str, Any]], column: str) -> dict[float, dict[str, float]]:
    """Values by step, under our names; a later row of a step replaces values of an earlier one."""
    rows = list(rows)
    names = metric_names(dict.fromkeys(name for row in rows for name in row if name not in STEP_NAMES))
    joined: dict[float, dict[str, float]] = {}
    for row in rows:
        step = _number(row.get(column))
        if step is None:
            continue
        whole: float = int(step) if step == int(step) else step
        values = {
            names[name]: number
            for name, value in row.items()
            if name in names and (number := _number(value)) is not None
        }
        joined.setdefault(whole, {}).update(values)
    return {step: values for step, values in joined.items() if values}


def _number(value: Any) -> float | None:
    """A finite number, also as text (in CSV files); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None  # noqa: PLR0124 - not NaN


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
