"""Result tables like the paper's Tables 2 to 4: our runs first, then published results with their sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.curves.study import Group, Study
from analysis.texts.lengths import LengthSummary, length_table
from orz_bench.records.intervals import Interval
from orz_bench.results.baselines import Baseline, all_baselines
from orz_bench.results.breakdown_tables import with_spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of text cells; the first column names the row."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def result_table(groups: Sequence[Group]) -> Table | None:
    """Accuracy in percent of every group at its last evaluated step, and published results on the same benchmarks.

    None if nothing was evaluated. Our ± is the wider of the two 95 % intervals, or the range of several seeds.
    """
    names = sorted({name for group in groups for study in group.studies for name in study.scores["benchmark"]})
    if not names:
        return None
    ours = [row for group in groups for row in _last_scores(group, names)]
    models = dict.fromkeys(
        (baseline.model, baseline.source) for baseline in all_baselines() if baseline.benchmark in names
    )
    theirs = [_published(model, source, names=names) for model, source in models]
    return Table(
        title="Results and published results, percent",
        headings=("model", *names, "source"),
        rows=(*ours, *theirs),
        note="Published results were obtained under protocols other than ours (see their sources); they give context "
        "and are not a comparison.",
    )


def _last_scores(group: Group, names: Sequence[str]) -> list[tuple[str, ...]]:
    """One row per set of runs with one protocol: results of two protocols are never averaged."""
    lines = {name: {line.label: line for line in group.score_lines(name) if len(line.table)} for name in names}
    rows = []
    for label in dict.fromkeys(label for by_label in lines.values() for label in by_label):
        found = {name: by_label[label] for name, by_label in lines.items() if label in by_label}
        last = max(int(line.table["step"].max()) for line in found.values())
        tables = [found[name].table if name in found else pd.DataFrame({"step": []}) for name in names]
        cells = [_cell(table[table["step"] == last]) for table in tables]
        rows.append((f"{label}, step {last}", *cells, _how_many(len(next(iter(found.values())).studies))))
    return rows


def _cell(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "–"
    row = rows.iloc[0]
    if not row["low"] < row["high"]:
        return f"{100 * row['accuracy']:.1f}"
    return with_spread(float(row["accuracy"]), Interval(float(row["low"]), float(row["high"])))


def _how_many(size: int) -> str:
    return "this run" if size == 1 else f"mean of {size} seeds"


def _published(model: str, source: str, *, names: Sequence[str]) -> tuple[str, ...]:
    found = {b.benchmark: b for b in all_baselines() if (b.model, b.source) == (model, source)}
    return (model, *(_figure(found.get(name)) for name in names), source)


def _figure(baseline: Baseline | None) -> str:
    if baseline is None:
        return "–"
    spread = f" ± {baseline.plus_minus:g}" if baseline.plus_minus is not None else ""
    return f"{baseline.percent:.1f}{spread}"


def as_csv(table: Table) -> str:
    """The table as CSV."""
    return pd.DataFrame(list(table.rows), columns=list(table.headings)).to_csv(index=False)


def length_table_of(studies: Sequence[Study]) -> Table | None:
    """Lengths of training responses by kind, one row per run and kind; None if no responses were read."""
    rows = [
        (f"{study.run.name}: {kind.replace('_', ' ')}", *_lengths(summary), table.unit)
        for study in studies
        if study.features is not None and len(study.features)
        for table in [length_table(study.features)]
        for kind in ("overall", "correct", "wrong", "truncated", "reflecting", "correct_reflecting")
        if (summary := getattr(table, kind)) is not None
    ]
    if not rows:
        return None
    headings = ("responses of training", "number", "mean", "median", "95th percentile", "longest", "unit")
    return Table(title="Response lengths", headings=headings, rows=tuple(rows))


def _lengths(summary: LengthSummary) -> tuple[str, ...]:
    values = (summary.mean, summary.median, summary.p95, summary.longest)
    return (f"{summary.num_responses:,}", *(f"{value:,.1f}" for value in values))
