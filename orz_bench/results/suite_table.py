"""A suite's table: one row per checkpoint of ours, then one per published model, one column per benchmark.

A score that was not obtained as the suite asks is marked, and a note says what differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orz_bench.records.summary import EvalResult
from orz_bench.results.baselines import Baseline, all_baselines
from orz_bench.results.breakdown_tables import BreakdownTable, percent, with_spread

MARK = "*"
_NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A benchmark of a suite."""

    benchmark: str
    n: int | None
    """Samples per question; None: as the result has it."""
    limit: int | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the protocol card as the suite wants them; None: left out there."""

    def differences(self, result: EvalResult) -> list[str]:
        """What of a result is not as the suite asks: `template chat instead of orz-code`."""
        if (whose := result.protocol.get("imported")) is not None:
            return [f"imported from {whose}"]
        pairs = {name: (_plain(name, result.protocol.get(name)), wanted) for name, wanted in self.asked.items()}
        summary = result.summary
        if self.n is not None:
            pairs = {"n": (summary.n, self.n)} | pairs
        wanted_questions = min(self.limit or result.num_problems_total, result.num_problems_total)
        if summary.num_problems != wanted_questions:
            pairs["number of questions"] = (summary.num_problems, wanted_questions)
        return [
            f"{name.replace('_', ' ')} {_said(found)} instead of {_said(wanted)}"
            for name, (found, wanted) in pairs.items()
            if found != wanted
        ]


def _plain(name: str, value: Any) -> Any:
    """A random choice of questions is the same for every seed."""
    return value.partition(", seed")[0] if name == "questions" and isinstance(value, str) else value


def _said(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One score."""

    text: str
    differences: tuple[str, ...] = ()
    json: Mapping[str, Any] | None = None
    """None: no score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One checkpoint of ours, or a published model by one source."""

    model: str
    source: str
    """`this run`, or the number of the note that names the source of published figures: `[1]`."""
    cells: tuple[Cell, ...]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteTable:
    """What is shown of a suite."""

    name: str
    title: str
    source: str | None
    benchmarks: tuple[str, ...]
    """The headings of the scores."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def as_text(self) -> BreakdownTable:
        """Its cells as they are shown."""
        return BreakdownTable(
            title=f"{self.title} (suite {self.name})",
            headings=["model", "source", *self.benchmarks],
            rows=[[row.model, row.source, *(cell.text for cell in row.cells)] for row in self.rows],
        )

    def to_json(self) -> dict[str, Any]:
        """Scores of ours as fractions, published ones in percent, as they were published."""
        rows = [
            {
                "model": row.model,
                "source": row.source,
                "is_published": not row.is_ours,
                "scores": {
                    benchmark: cell.json
                    for benchmark, cell in zip(self.benchmarks, row.cells, strict=True)
                    if cell.json is not None
                },
            }
            for row in self.rows
        ]
        return {"suite": self.name, "title": self.title, "source": self.source, "rows": rows, "notes": list(self.notes)}


def suite_table(
    columns: Sequence[Column], results: Sequence[EvalResult], *, name: str, title: str, source: str | None
) -> SuiteTable:
    """The table of these results under a suite's columns, with every published figure on its benchmarks."""
    ours = [_row_of(model, own, columns=columns) for model, own in _by_checkpoint(results, columns).items()]
    published = _published(columns)
    notes = [note for row in ours for note in _notes_on(row, columns)]
    if any(cell.differences for row in ours for cell in row.cells):
        notes.insert(0, f"{MARK} not as the suite asks:")
    return SuiteTable(
        name=name,
        title=title,
        source=source,
        benchmarks=tuple(_headings(columns)),
        rows=(*ours, *published),
        notes=(*notes, *_notes_on_parts(columns), *_notes_on_sources(columns)),
    )


def _headings(columns: Sequence[Column]) -> list[str]:
    """The benchmarks; one that is asked in several ways gets its number."""
    names = [column.benchmark for column in columns]
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _by_checkpoint(results: Sequence[EvalResult], columns: Sequence[Column]) -> dict[str, list[EvalResult]]:
    """The results on the suite's benchmarks, by the name of their checkpoint; with its run where that is needed."""
    wanted = {column.benchmark for column in columns}
    found = [result for result in results if result.benchmark in wanted]
    runs_of: dict[str, set[str]] = {}
    for result in found:
        runs_of.setdefault(_checkpoint(result), set()).add(result.run)
    grouped: dict[str, list[EvalResult]] = {}
    for result in found:
        name = _checkpoint(result)
        grouped.setdefault(f"{name} ({result.run})" if len(runs_of[name]) > 1 else name, []).append(result)
    return grouped


def _checkpoint(result: EvalResult) -> str:
    return f"{result.model}, step {result.step}" if result.step else result.model


def _row_of(model: str, results: Sequence[EvalResult], *, columns: Sequence[Column]) -> Row:
    cells = []
    for column in columns:
        own = [result for result in results if result.benchmark == column.benchmark and result.is_scored]
        nearest = min(own, key=lambda result: len(column.differences(result)), default=None)
        cells.append(Cell(text=_NOTHING) if nearest is None else _cell(nearest, column))
    return Row(model=model, source="this run", cells=tuple(cells), is_ours=True)


def _cell(result: EvalResult, column: Column) -> Cell:
    summary, differences = result.summary, tuple(column.differences(result))
    interval = summary.question
    text = percent(summary.avg_at_n) if interval is None else with_spread(summary.avg_at_n, interval)
    return Cell(
        text=text + (MARK if differences else ""),
        differences=differences,
        json={
            "avg_at_n": summary.avg_at_n,
            "n": summary.n,
            "question_low": interval.low if interval else None,
            "question_high": interval.high if interval else None,
            "fingerprint": result.fingerprint,
            "run": result.run,
            "differs": list(differences),
        },
    )


def _notes_on(row: Row, columns: Sequence[Column]) -> Iterable[str]:
    for heading, cell in zip(_headings(columns), row.cells, strict=True):
        if cell.differences:
            yield f"{heading} of {row.model}: {', '.join(cell.differences)}"


def _published(columns: Sequence[Column]) -> list[Row]:
    """One row per model and source, source by source in the order of the file."""
    numbers = {source: number for number, source in enumerate(_protocols_of(columns), start=1)}
    found: dict[tuple[int, str], dict[str, Baseline]] = {}
    for baseline in _on(columns):
        found.setdefault((numbers[baseline.source], baseline.model), {})[baseline.benchmark] = baseline
    return [
        Row(
            model=model,
            source=f"[{number}]",
            cells=tuple(_published_cell(figures.get(column.benchmark)) for column in columns),
            is_ours=False,
        )
        for (number, model), figures in sorted(found.items(), key=lambda item: item[0][0])
    ]


def _published_cell(baseline: Baseline | None) -> Cell:
    if baseline is None:
        return Cell(text=_NOTHING)
    figure = {
        "percent": baseline.percent,
        "plus_minus": baseline.plus_minus,
        "source": baseline.source,
        "protocol": baseline.protocol,
    }
    return Cell(text=baseline.figure, json=figure)


def _notes_on_parts(columns: Sequence[Column]) -> list[str]:
    """Benchmarks of which the suite asks a part."""
    parts = [column.asked.get("questions") or (f"first {column.limit}" if column.limit else None) for column in columns]
    return [
        f"{heading}: the suite asks only a part of the questions ({part}); the published figures are of all"
        for heading, part in zip(_headings(columns), parts, strict=True)
        if part is not None
    ]


def _notes_on_sources(columns: Sequence[Column]) -> list[str]:
    sources = enumerate(_protocols_of(columns).items(), start=1)
    return [f"[{number}] {source}: {'; '.join(protocols)}" for number, (source, protocols) in sources]


def _protocols_of(columns: Sequence[Column]) -> dict[str, list[str]]:
    """The protocols that each source states, in the order of the file."""
    found: dict[str, dict[str, None]] = {}
    for baseline in _on(columns):
        found.setdefault(baseline.source, {})[baseline.protocol] = None
    return {source: list(protocols) for source, protocols in found.items()}


def _on(columns: Sequence[Column]) -> list[Baseline]:
    wanted = {column.benchmark for column in columns}
    return [baseline for baseline in all_baselines() if baseline.benchmark in wanted]
