"""Curves of other tools -> rows of metrics.jsonl, joined by step.

Logs of one training follow one another as in orz_bench.exchange.logs.curves. Tables say nothing about resumed
trainings, so two of them that contradict each other are of two trainings, and refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path
from typing import Any

from orz_bench.errors import DataError
from orz_bench.exchange.formats.format import Contents, LogFile
from orz_bench.exchange.logs.curves import Curves, WentBack
from orz_bench.exchange.logs.line import Line
from orz_bench.records.curve_tables import points_of
from orz_bench.records.metric_names import metric_names

_ROUNDED = 0.01
"""Values that differ by less are one value, written with fewer digits."""


@dataclass(frozen=True, slots=True)
class AddedCurves:
    """What a file added."""

    num_steps: int
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Origin:
    value: float
    path: str


class ImportedCurves:
    """The curves of a run, and those that are added to it."""

    def __init__(
        self, rows: Iterable[Mapping[str, Any]], *, step_column: str | None = None, run: str | None = None
    ) -> None:
        """`rows`: those of the run so far. `run`: the wanted one of several in a table."""
        rows = list(rows)
        self._curves = Curves(rows, lambda name: name)
        self._step_column, self._run = step_column, run
        self._news_of: dict[tuple[str, Path], list[Line]] = {}
        self._said: dict[tuple[float, str], _Origin] = {
            (row["step"], name): _Origin(value, "a file that the run has already")
            for row in rows
            for name, value in row.items()
        }

    def add(self, path: Path, contents: Contents, *, tool: str) -> AddedCurves:
        """Join a file's curves. DataError where the step is in doubt, and where it contradicts another file."""
        log = contents.log or self._table(path, contents, tool=tool)
        said = list(log.lines())
        texts = [text for text in said if isinstance(text, str)]
        lines = [line for line in said if isinstance(line, Line) and line.values]
        if not lines:
            raise DataError(f"{path}: no step has a number; name a file of curves.")
        names = metric_names(dict.fromkeys(name for line in lines for name in line.values), tool=tool)
        if contents.log is not None:
            lines = [replace(line, values={names[k]: v for k, v in line.values.items()}) for line in lines]
        texts += self._take(path, log, lines=lines)
        texts += [_told(path, went_back) for _, went_back in self._curves.overlaps()]
        return AddedCurves(len({line.step for line in lines}), (*texts, *self._curves.contradictions()))

    def rows(self) -> list[dict[str, Any]]:
        """Rows of metrics.jsonl, by step."""
        return [{"step": step} | values for step, values in self._curves.rows().items() if values]

    def _table(self, path: Path, contents: Contents, *, tool: str) -> LogFile:
        assert contents.curves is not None
        points = points_of(
            contents.curves(), where=str(path), step_column=self._step_column or contents.step_column, tool=tool
        )
        runs = list(dict.fromkeys(point.run for point in points))
        if self._run is not None:
            points = [point for point in points if point.run == self._run]
        elif len(runs) > 1:
            raise DataError(
                f"{path}: holds the runs {', '.join(runs[:5])}{', ...' if len(runs) > 5 else ''}; name one with --run, "
                f"and import each into a run directory of its own."
            )
        by_step: dict[float, dict[str, float]] = {}
        for point in points:
            by_step.setdefault(point.step, {})[point.metric] = point.value
        lines = [Line(step, values, is_side=True) for step, values in by_step.items()]
        return LogFile(lines=lambda: iter(lines), key=path, kind="table", is_of_one_training=False)

    def _take(self, path: Path, log: LogFile, *, lines: Sequence[Line]) -> Iterator[str]:
        """Lines that an earlier file of the same log has, as each checkpoint has those before it, come once."""
        before = self._news_of.get((log.kind, log.key), [])
        num_same = sum(1 for _ in _common(before, lines))
        if num_same < len(lines):
            self._news_of[log.kind, log.key] = list(lines)
        for line in lines[num_same:]:
            if not log.is_of_one_training:
                self._check(path, line, key=str(log.key))
            if (went_back := self._curves.take(log, line)) is not None:
                yield _told(path, went_back)

    def _check(self, path: Path, line: Line, *, key: str) -> None:
        for name, value in line.values.items():
            origin = self._said.setdefault((line.step, name), _Origin(value, key))
            if origin.path != key and not isclose(origin.value, value, rel_tol=_ROUNDED, abs_tol=1e-9):
                raise DataError(
                    f"{path}: {name} of step {line.step} is {value:g} here and {origin.value:g} in {origin.path}, so "
                    f"they are of two trainings; import each into a run directory of its own."
                )


def _common(one: Sequence[Line], other: Sequence[Line]) -> Iterator[Line]:
    for ours, theirs in zip(one, other, strict=False):
        if ours != theirs:
            return
        yield ours


def _told(path: Path, went_back: WentBack) -> str:
    return (
        f"{path}: the steps go back from {went_back.until} to {went_back.to}, so training was resumed; the later "
        f"values count from step {went_back.to} on"
    )
