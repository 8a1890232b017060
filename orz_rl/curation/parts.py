"""The files between stages: a stage's rows in numbered Parquet parts, each written whole or not at all.

Part 7 of a stage has the fates of the rows that part 7 of the stage before kept, so a stage that was killed goes on
behind its last part.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orz_bench.errors import DataError
from orz_bench.records.curated import DONE, read_object
from orz_bench.records.parquet import disk_error, sync_folder
from orz_rl.curation.rows import Outcome, Row, fates_table, pairs_table, rows_of


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; what was written takes the place of `path` at the end, and nothing does if that fails."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """A JSON file, whole."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_table(path: Path, table: pa.Table) -> None:
    """A Parquet file, whole."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class StageFolder:
    """The parts of one stage."""

    path: Path

    @property
    def scratch(self) -> Path:
        """What a stage writes for itself before its first part; removed with the stage's end."""
        return self.path / "scratch"

    @property
    def is_done(self) -> bool:
        """Whether every part is there."""
        return (self.path / DONE).is_file()

    @property
    def facts(self) -> dict[str, Any]:
        """What was kept with the mark of its end."""
        return read_object(self.path / DONE)

    @property
    def num_parts(self) -> int:
        """Parts that are there."""
        return len(list(self.path.glob("fates-*.parquet")))

    def has(self, number: int) -> bool:
        """Whether this part is there. The pairs of a part are written before its fates."""
        return self._fates(number).is_file()

    def write(self, number: int, outcome: Outcome) -> None:
        """Commit a part."""
        self.path.mkdir(parents=True, exist_ok=True)
        if outcome.pairs:
            write_table(self._pairs(number), pairs_table(outcome.pairs))
        write_table(self._fates(number), fates_table(outcome.fates))

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Mark that every part is there."""
        self.path.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        write_json(self.path / DONE, dict(facts))

    def fates(self, number: int) -> pa.Table:
        """The fates of a part."""
        return _read(self._fates(number))

    def kept(self, number: int) -> list[Row]:
        """The rows that the next stage gets from a part."""
        table = self.fates(number)
        return rows_of(table.filter(pc.equal(table["reason"], "")))

    def dropped(self, number: int) -> pa.Table:
        """The fates of the rows that it does not get."""
        table = self.fates(number)
        return table.filter(pc.not_equal(table["reason"], ""))

    def pairs(self) -> Iterator[pa.Table]:
        """All pairs, part by part."""
        for path in sorted(self.path.glob("pairs-*.parquet")):
            yield _read(path)

    def _fates(self, number: int) -> Path:
        return self.path / f"fates-{number:06d}.parquet"

    def _pairs(self, number: int) -> Path:
        return self.path / f"pairs-{number:06d}.parquet"


@dataclass(frozen=True, slots=True)
class Incoming:
    """The rows that a stage gets, part by part; can be read again."""

    folder: StageFolder
    num_parts: int

    def __iter__(self) -> Iterator[list[Row]]:
        for number in range(self.num_parts):
            yield self.folder.kept(number)

    def __len__(self) -> int:
        return self.num_parts


def _read(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}). Start over with --fresh.") from error
