"""Why a row was kept or dropped, from the files of a result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orz_bench.errors import DataError, nearest
from orz_bench.records.curated import FATE_COLUMNS, FATES, PAIR_COLUMNS, PAIRS


@dataclass(frozen=True, slots=True)
class Explanation:
    """A row's fate, and the texts it is similar to."""

    fate: dict[str, Any]
    pairs: list[dict[str, Any]]
    """As the row, or as the one that another row is like."""


def explain(id_: str, folder: Path) -> Explanation:
    """The fate of the row with this id, or at this `SOURCE:ROW`. DataError if there is none, or no result."""
    if not (folder / FATES).is_file():
        raise DataError(f"{folder}: has no {FATES}; name the folder of a finished curation with --dir.")
    found: list[dict[str, Any]] = []
    ids: list[str] = []
    for batch in _batches(folder / FATES, FATE_COLUMNS):
        is_row = pc.equal(batch["id"], id_)
        place = pc.binary_join_element_wise(batch["source"], batch["row"], ":")
        found += batch.filter(pc.or_(is_row, pc.equal(place, id_))).to_pylist()
        ids += batch["id"].to_pylist()[:50]
    if not found:
        raise DataError(
            f"{folder}: no row has the id {id_!r}{nearest(id_, ids)}; ids are in {FATES}, and SOURCE:ROW, such as "
            f"'deepscaler:line 7', is taken too."
        )
    row = found[0]
    return Explanation(row, _pairs(row["id"], row["source"], path=folder / PAIRS))


def _pairs(id_: str, source: str, *, path: Path) -> list[dict[str, Any]]:
    """On either side. Questions of benchmarks may have the ids of rows, so the source counts too."""
    found: list[dict[str, Any]] = []
    for batch in _batches(path, PAIR_COLUMNS):
        is_row = pc.and_(pc.equal(batch["id"], id_), pc.equal(batch["source"], source))
        is_other = pc.and_(pc.equal(batch["other_id"], id_), pc.equal(batch["other_source"], source))
        found += batch.filter(pc.or_(is_row, is_other)).to_pylist()
    return found


def _batches(path: Path, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    """A file of a result, some rows at a time. DataError for one that cannot be read, or was made by others."""
    try:
        with pq.ParquetFile(path) as file:
            lacking = [name for name in columns.names if name not in file.schema_arrow.names]
            if lacking:
                raise DataError(f"{path}: has no column {lacking[0]!r}, so `orz-rl curate` did not write it.")
            yield from file.iter_batches(batch_size=65_536, columns=columns.names)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read ({reason}); curate again with --fresh.") from error
