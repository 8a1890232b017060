"""JSON lines, and Parquet files that `datasets.load_dataset` takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.exchange.export.selection import Exported
from orz_bench.exchange.formats.orz import KIND, MARK
from orz_bench.records.parquet import ROLLOUT_SCHEMA, ROLLOUT_SCHEMA_VERSION
from orz_bench.records.run_dir import write_text


def write_jsonl(exported: Sequence[Exported], out: Path) -> list[Path]:
    """One file for each evaluation or step: every column of a rollout, without unknown values."""
    written = []
    for one in exported:
        path = out / f"{one.name}.jsonl"
        mark = {MARK: ROLLOUT_SCHEMA_VERSION, KIND: one.kind}
        rows = (mark | {name: value for name, value in row.items() if value is not None} for row in one.rows())
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        written.append(path)
    return written


def write_dataset(exported: Sequence[Exported], out: Path) -> list[Path]:
    """`data/NAME-*.parquet` with the columns of a rollout: a split for each benchmark, or `train`."""
    folder = out / "data"
    folder.mkdir()
    written = []
    for benchmark in dict.fromkeys(one.benchmark for one in exported):
        parts = [one for one in exported if one.benchmark == benchmark]
        split = "".join(char if char.isalnum() else "_" for char in benchmark)
        for number, one in enumerate(parts):
            path = folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
            pq.write_table(one.folder.read().cast(_plain_schema(one)), path, compression="zstd")
            written.append(path)
    return written


def _plain_schema(one: Exported) -> pa.Schema:
    """Without the mark of a run's parts, which these files are not."""
    return pa.schema(list(ROLLOUT_SCHEMA), metadata={KIND: one.kind})
