"""Tables of curves -> points: the only reader of such tables, for import and analysis alike.

Long tables (step, metric, y or value), wide ones (step and one column per metric), and plotted points (panel, series,
x, y). If rows name a benchmark, it prefixes the metric: `aime24/accuracy`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import DataError, nearest
from orz_bench.records.foreign import flat, run_column, source_columns
from orz_bench.records.metric_names import DECLARED_STEPS, STEP_NAMES, is_known_metric, metric_names

PLOTTED = ("panel", "series", "x", "y")
"""Columns of a table of plotted points."""
_MEASURED_STYLES = ("raw", "single")
"""Styles of plotted points that are measurements; others are smoothed lines, markers on them, or annotations."""
_VALUES = ("value", "y")
_LAST_RESORT = "epoch"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a curve."""

    run: str
    """Empty if the rows name none."""
    step: float
    metric: str
    """Our name where the meaning is the same, else its own."""
    value: float


def is_step_name(name: str) -> bool:
    """Whether a column of this name may be the step: `Step` and `Global Step` are as good as `step`."""
    return _key(name) in STEP_NAMES or name in DECLARED_STEPS


def points_of(
    rows: Iterable[Row], *, where: str, step_column: str | None = None, tool: str | None = None
) -> list[Point]:
    """Every number of the rows that have a step, in their order. `tool`: who wrote them, see metric_names.

    DataError where the column with the step is in doubt (see step_column_of).
    """
    table = [flat(dict(row)) for row in rows]
    names = list(dict.fromkeys(name for row in table for name in row))
    if set(PLOTTED) <= set(names) and step_column is None:
        table = _plotted(table)
        names = ["run", "step", "metric", "value"]
    step = step_column_of(table, wanted=step_column, where=where)
    run, benchmark = run_column(dict.fromkeys(names)), source_columns(names).get("benchmark")
    value = next((name for name in _VALUES if name in names), None) if "metric" in names else None
    used = {run, benchmark, step} | {name for name in names if is_step_name(name)}
    if value is not None:
        said = [(row, str(row["metric"]), row.get(value)) for row in table if row.get("metric") is not None]
    else:
        said = [(row, name, cell) for row in table for name, cell in row.items() if name and name not in used]
    found = [(row, name, number) for row, name, cell in said if (number := number_of(cell)) is not None]
    ours = metric_names(dict.fromkeys(name for _, name, _ in found), tool=tool)
    return [
        Point(
            run=str(row.get(run)) if run else "",
            step=at,
            metric=f"{row.get(benchmark)}/{ours[name]}" if benchmark else ours[name],
            value=number,
        )
        for row, name, number in found
        if (at := _step_of(row.get(step))) is not None
    ]


def _plotted(table: Sequence[Row]) -> list[dict[str, Any]]:
    """Columns run, step, metric, value of plotted points that were measured: neither smoothed nor beyond the axes.

    A series is a run and its panel a metric (`lambda=1.0`, `Reward During Training`), or vice versa if the series is
    named after a metric (`Response Length` in the panel `TRAINING`).
    """
    table = [row for row in table if row.get("flag") in (None, "", "ok")]
    if any(row.get("style") in _MEASURED_STYLES for row in table):
        table = [row for row in table if row.get("style") in _MEASURED_STYLES]
    points = []
    for row in table:
        panel, series = str(row.get("panel")), str(row.get("series"))
        run, metric = (panel, series) if is_known_metric(series) else (series, panel)
        points.append({"run": run, "step": row.get("x"), "metric": metric, "value": row.get("y")})
    return points


def step_column_of(rows: Sequence[Row], *, wanted: str | None, where: str) -> str:
    """The column with the step. DataError where two fit and differ, because a guess would move every curve.

    `epoch` is the step only where there is no other.
    """
    values: dict[str, dict[int, float]] = {}
    names: dict[str, None] = {}
    for number, row in enumerate(rows):
        names.update(dict.fromkeys(row))
        for name in row:
            fits = name == wanted if wanted is not None else is_step_name(name)
            if fits and (value := number_of(row[name])) is not None:
                values.setdefault(name, {})[number] = value
    if wanted is not None:
        if wanted not in values:
            raise DataError(
                f"{where}: no column {wanted!r} with numbers{nearest(wanted, names)}; it has {_few(names)}."
            )
        return wanted
    declared = [name for name in DECLARED_STEPS if name in values]
    if len(declared) == 1:
        return declared[0]
    fitting = [name for name in values if _key(name) != _LAST_RESORT] or list(values)
    if not fitting:
        raise DataError(f"{where}: no column of steps ({', '.join(STEP_NAMES)}); name one with --step-column.")
    # Of columns that agree, the one that most rows have.
    first, *others = sorted(fitting, key=lambda name: (-len(values[name]), _rank(name)))
    doubtful = [name for name in others if not _agree(values[first], values[name])]
    if doubtful:
        named = sorted([first, *doubtful], key=_rank)
        raise DataError(
            f"{where}: {' and '.join(named)} could both be the step, and they differ; name one with --step-column "
            f"(--step-column {named[0]})."
        )
    return first


def _rank(name: str) -> int:
    return (*DECLARED_STEPS, *STEP_NAMES).index(name if name in DECLARED_STEPS else _key(name))


def _agree(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    common = one.keys() & other.keys()
    return bool(common) and all(one[row] == other[row] for row in common)


def _step_of(value: Any) -> float | None:
    """A whole number as int, so that it is written as one."""
    number = number_of(value)
    return int(number) if number is not None and number == int(number) else number


def number_of(value: Any) -> float | None:
    """A finite number, also as text (in CSV files); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None  # noqa: PLR0124 - not NaN


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
