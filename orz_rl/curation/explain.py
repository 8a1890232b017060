"""Why a row was kept or dropped, from the files of a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orz_bench.errors import DataError, nearest
from orz_rl.curation.outputs import FATES, PAIRS


@dataclass(frozen=True, slots=True)
class Explanation:
    """A row's fate, and the texts it is similar to."""

    fate: dict[str, Any]
    pairs: list[dict[str, Any]]
    """As the row, or as the one that another row is like."""


def explain(id_: str, folder: Path) -> Explanation:
    """The fate of the row with this id, or at this `SOURCE:ROW`. DataError if there is none, or no result."""
    path = folder / FATES
    if not path.is_file():
        raise DataError(f"{folder}: has no {FATES}; name the folder of a finished curation with --dir.")
    found: list[dict[str, Any]] = []
    ids: list[str] = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=65_536):
            is_row = pc.equal(batch["id"], id_)
            place = pc.binary_join_element_wise(batch["source"], batch["row"], ":")
            found += batch.filter(pc.or_(is_row, pc.equal(place, id_))).to_pylist()
            ids += batch["id"].to_pylist()[:50]
    if not found:
        raise DataError(
            f"{folder}: no row has the id {id_!r}{nearest(id_, ids)}; ids are in {FATES}, and SOURCE:ROW, such as "
            f"'deepscaler:line 7', is taken too."
        )
    return Explanation(found[0], _pairs(str(found[0]["id"]), folder / PAIRS))


def _pairs(id_: str, path: Path) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        batches = [
            batch.filter(pc.or_(pc.equal(batch["id"], id_), pc.equal(batch["other_id"], id_)))
            for batch in file.iter_batches(batch_size=65_536)
        ]
    return pa.Table.from_batches(batches).to_pylist() if batches else []
