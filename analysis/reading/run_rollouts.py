"""Rollouts of a run directory, read in batches with texts, or all at once without them.

A part that is damaged, or that a running writer has just replaced, is skipped and listed in `skipped`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.reading.columns import CATEGORIES, NUMBERS, ROLLOUT_COLUMNS
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.parquet import is_whole, part_files

BATCH_ROWS = 4096


class Rollouts(Protocol):
    """Rollouts that belong together: of one training run, or of one evaluation."""

    @property
    def skipped(self) -> tuple[Path, ...]:
        """Files that could not be read."""
        ...

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """Frames of at most `rows` rows with the ROLLOUT_COLUMNS that exist; the index counts on: 0, 1, ...

        A row without a response text is left out, but counted by the index: a request that failed, a text that was
        dropped (rollouts.keep) or that a file of another tool lacks. An empty response is a text.
        """
        ...

    def num_rows(self) -> int:
        """The number of rows, of those without a text as well."""
        ...

    def numbers(self) -> pd.DataFrame:
        """All rows with the columns NUMBERS that exist; names as categories. About 30 bytes per row, no texts."""
        ...


@dataclass(frozen=True, slots=True)
class PartRollouts:
    """Parquet parts written by orz_bench and orz_rl."""

    paths: tuple[Path, ...]
    skipped: tuple[Path, ...] = ()
    """Parts that could not be read."""

    @classmethod
    def in_folders(cls, folders: Sequence[Path]) -> PartRollouts:
        """The parts in these folders, in order. RunDirError for a part of a newer schema."""
        paths = [path for folder in folders for path in part_files(folder)]
        whole = tuple(path for path in paths if is_whole(path))
        return cls(whole, tuple(path for path in paths if path not in set(whole)))

    def num_rows(self) -> int:
        """The number of rollouts in the readable parts; reads no rollouts."""
        return sum(pq.read_metadata(path).num_rows for path in self.paths)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """See Rollouts. Small parts are joined, so that work per batch does not become work per part."""
        start = 0
        for table in _of_size(self._pieces(rows), rows):
            found = table.to_pandas()
            has_text = found["completion"].notna() & ~found["why"].isin(WITHOUT_TEXT)
            frame = _without_empty_reward(found[list(ROLLOUT_COLUMNS)])
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield frame[has_text.to_numpy()]

    def _pieces(self, rows: int) -> Iterator[pa.RecordBatch]:
        for path in self.paths:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=rows, columns=[*ROLLOUT_COLUMNS, "why"])

    def numbers(self) -> pd.DataFrame:
        """See Rollouts."""
        if not self.paths:
            return pd.DataFrame(columns=list(NUMBERS))
        with duckdb.connect() as database:
            files = database.read_parquet([str(path) for path in self.paths], hive_partitioning=False)
            table = files.project(", ".join(NUMBERS)).to_arrow_table()
        return _without_empty_reward(_compact(table).to_pandas())


def _of_size(pieces: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` each; the last may be smaller."""
    waiting: list[pa.RecordBatch] = []
    for piece in pieces:
        waiting.append(piece)
        while sum(batch.num_rows for batch in waiting) >= rows:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, rows)
            waiting = table.slice(rows).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def _compact(table: pa.Table) -> pa.Table:
    """Encode repeated names as categories."""
    for name in CATEGORIES:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].dictionary_encode().unify_dictionaries())
    return table


def _without_empty_reward(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the reward column of an evaluation, which has no rewards."""
    return frame if frame["reward"].notna().any() else frame.drop(columns="reward")
