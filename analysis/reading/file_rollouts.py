"""Rollouts in files of other tools, as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.reading.columns import CATEGORIES, NUMBERS, ROLLOUT_COLUMNS
from analysis.reading.run_rollouts import BATCH_ROWS
from orz_bench.exchange.formats.registry import read_file
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.import_samples import columns_of
from orz_bench.records.foreign import dumped, files_under
from orz_bench.records.judged import WITHOUT_TEXT

Row = Mapping[str, Any]
_INTEGERS = ("step", "sample_index", "num_tokens")


@dataclass(frozen=True, slots=True)
class ForeignRollouts:
    """Rollouts in files that another tool wrote, as `orz-bench import` reads them."""

    samples: Callable[[], Iterator[ForeignSample]]

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Always empty: an unreadable file is an error here."""
        return ()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """See analysis.reading.run_rollouts.Rollouts."""
        return (_with_text(batch) for batch in self._batches(rows))

    def num_rows(self) -> int:
        """See analysis.reading.run_rollouts.Rollouts."""
        return sum(1 for _ in self.samples())

    def numbers(self) -> pd.DataFrame:
        """See analysis.reading.run_rollouts.Rollouts."""
        return numbers_of(self._batches(BATCH_ROWS))

    def _batches(self, rows: int) -> Iterator[pd.DataFrame]:
        return batches_of(map(_said, self.samples()), rows)


def _with_text(batch: pd.DataFrame) -> pd.DataFrame:
    return batch[batch["completion"].notna()] if "completion" in batch else batch.iloc[:0].assign(completion="")


def _said(sample: ForeignSample) -> Row:
    """The columns that the file says something about."""
    found = columns_of(sample)
    names = (name for name in ROLLOUT_COLUMNS if name != "completion" or found["why"] not in WITHOUT_TEXT)
    return {name: found[name] for name in names if found[name] is not None}


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


def dumped_rollouts(folder: Path) -> ForeignRollouts | None:
    """The training rollouts that Open-Reasoner-Zero dumped into a folder, by step; None if there are none."""
    named = ((path, dumped(path)) for path in files_under(folder))
    steps = {path: name.step for path, name in named if name is not None and name.benchmark is None}
    return ForeignRollouts(partial(_dumped, sorted(steps, key=steps.__getitem__))) if steps else None


def dumped_evaluations(folder: Path) -> dict[tuple[str, int], ForeignRollouts]:
    """The responses of evaluations that Open-Reasoner-Zero dumped into a folder, by (benchmark, step)."""
    named = ((path, dumped(path)) for path in files_under(folder))
    keys = {path: (name.benchmark, name.step) for path, name in named if name is not None and name.benchmark}
    return {
        key: ForeignRollouts(partial(_dumped, [path])) for path, key in sorted(keys.items(), key=lambda pair: pair[1])
    }


def _dumped(paths: Sequence[Path]) -> Iterator[ForeignSample]:
    """The files are opened when they are read: there may be thousands, which their names tell apart."""
    for path in paths:
        _, contents = read_file(path, named="orz")
        assert contents.samples is not None
        yield from contents.samples()


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in (*_INTEGERS, "reward"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    for name in _INTEGERS:
        if name in frame and frame[name].notna().all():
            frame[name] = frame[name].astype("int64")
    return frame[[name for name in ROLLOUT_COLUMNS if name in frame]]
