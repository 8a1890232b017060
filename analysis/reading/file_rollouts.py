"""Rollouts in files of other tools, as frames. For the files and their columns see orz_bench.records.foreign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pandas as pd

from analysis.reading.columns import CATEGORIES, NUMBERS, ROLLOUT_COLUMNS
from analysis.reading.run_rollouts import BATCH_ROWS
from orz_bench.exchange.formats.sample import ForeignSample, digest_of
from orz_bench.records.foreign import Row, canonical, dumped, files_under, flat, rows_of

_INTEGERS = ("step", "sample_index", "num_tokens")


@dataclass(frozen=True, slots=True)
class FileRollouts:
    """Rollouts in files, each with facts from its file name (such as the step)."""

    paths: tuple[Path, ...]
    facts: Mapping[Path, Row] = field(default_factory=dict)
    only: tuple[str, str] | None = None
    """(column, value): read only these rows, if a file holds several runs."""

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Always empty: an unreadable file is an error here."""
        return ()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """See analysis.reading.run_rollouts.Rollouts."""
        return batches_of(self._rows(), rows)

    def numbers(self) -> pd.DataFrame:
        """See analysis.reading.run_rollouts.Rollouts."""
        return numbers_of(self.batches())

    def _rows(self) -> Iterator[Row]:
        for path in self.paths:
            facts = self.facts.get(path, {})
            for row in map(flat, rows_of(path)):
                if self.only is None or str(row.get(self.only[0])) == self.only[1]:
                    yield canonical(row) | facts


@dataclass(frozen=True, slots=True)
class ForeignRollouts:
    """Rollouts in a file that another tool wrote."""

    samples: Callable[[], Iterator[ForeignSample]]

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Always empty: an unreadable file is an error here."""
        return ()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """See analysis.reading.run_rollouts.Rollouts."""
        return batches_of(map(_columns_of, self.samples()), rows)

    def numbers(self) -> pd.DataFrame:
        """See analysis.reading.run_rollouts.Rollouts."""
        return numbers_of(self.batches())


def _columns_of(sample: ForeignSample) -> Row:
    """The columns that the file says something about."""
    found = {name: getattr(sample, name) for name in ROLLOUT_COLUMNS if getattr(sample, name) is not None}
    if sample.problem_id is None and sample.question is not None:
        found["problem_id"] = digest_of(sample.question)
    silent = sample.completion is None and sample.has_text
    return found | ({"completion": "", "verdict": "no_answer"} if silent else {"completion": sample.completion or ""})


def batches_of(rows: Iterator[Row], size: int) -> Iterator[pd.DataFrame]:
    """Frames of at most `size` rows, numbered through."""
    start = 0
    while chunk := list(islice(rows, size)):
        yield _typed(pd.DataFrame(chunk, index=pd.RangeIndex(start, start + len(chunk))))
        start += len(chunk)


def numbers_of(batches: Iterator[pd.DataFrame]) -> pd.DataFrame:
    """The columns without texts of all frames."""
    frames = [batch[[name for name in NUMBERS if name in batch]] for batch in batches]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(NUMBERS))
    return whole.astype({name: "category" for name in CATEGORIES if name in whole})


def dumped_rollouts(folder: Path) -> FileRollouts | None:
    """The training rollouts that Open-Reasoner-Zero dumped into a folder, by step; None if there are none."""
    named = ((path, dumped(path)) for path in files_under(folder))
    steps = {path: name.step for path, name in named if name is not None and name.benchmark is None}
    facts: dict[Path, Row] = {path: {"step": step} for path, step in steps.items()}
    return FileRollouts(tuple(sorted(steps, key=steps.__getitem__)), facts) if steps else None


def dumped_evaluations(folder: Path) -> dict[tuple[str, int], FileRollouts]:
    """The responses of evaluations that Open-Reasoner-Zero dumped into a folder, by (benchmark, step)."""
    named = ((path, dumped(path)) for path in files_under(folder))
    keys = {path: (name.benchmark, name.step) for path, name in named if name is not None and name.benchmark}
    return {
        key: FileRollouts((path,), {path: {"benchmark": key[0], "step": key[1]}})
        for path, key in sorted(keys.items(), key=lambda pair: pair[1])
    }


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in (*_INTEGERS, "reward"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    for name in _INTEGERS:
        if name in frame and frame[name].notna().all():
            frame[name] = frame[name].astype("int64")
    return frame[[name for name in ROLLOUT_COLUMNS if name in frame]]
