"""Rollouts as Parquet: one schema, written as complete parts that a crash cannot leave half-written.

A part is written under a temporary name, synced, and renamed; readers look only at `part-*.parquet`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.errors import RunDirError
from orz_bench.records.arrays import FIELDS, from_column, to_column
from orz_bench.records.regular import require_regular
from orz_bench.records.rollout import Rollout

ROLLOUT_SCHEMA_VERSION = 1
_SCHEMA_KEY = b"orz_rollout_schema"
_MERGED = ".merged.parquet"

ROLLOUT_SCHEMA = pa.schema(
    [
        ("benchmark", pa.string()),
        ("problem_id", pa.string()),
        ("question", pa.string()),
        ("gold", pa.string()),
        ("sample_index", pa.int32()),
        ("seed", pa.int64()),
        ("step", pa.int64()),
        ("policy_version", pa.int64()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("prompt_token_ids", pa.list_(pa.int32())),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("num_tokens", pa.int32()),
        ("stop_reason", pa.string()),
        ("extracted", pa.string()),
        ("verdict", pa.string()),
        ("why", pa.string()),
        ("second_extractor", pa.string()),
        ("second_extracted", pa.string()),
        ("second_verdict", pa.string()),
        ("reward", pa.float64()),
        ("advantage", pa.float64()),
        ("value", pa.float64()),
        ("grader_version", pa.string()),
        ("extra", pa.string()),
    ],
    metadata={_SCHEMA_KEY: str(ROLLOUT_SCHEMA_VERSION)},
)
TOKEN_VERSIONS = pa.field("token_versions", pa.list_(pa.int32()))
"""The column that only runs with rollout.partial have, behind the others."""
ENTROPIES = pa.field("entropies", pa.list_(pa.float16()))
"""The column that only steps of a training with rollouts.entropies have, behind all others."""
_OPTIONAL = {each.name: each for each in (TOKEN_VERSIONS, ENTROPIES)}
"""Columns that a part may lack, in their order."""
_FLOATS = ("logprobs.list.element",)
"""Hardly any two are equal, so a dictionary of them is larger than they; their bytes compress by place. Entropies are
on a grid (arrays.entropies): with a dictionary they are bytes."""


def part_files(folder: Path) -> list[Path]:
    """The finished parts of a folder, oldest first; an absent folder has none."""
    merged = folder / _MERGED
    return [merged] if merged.exists() else sorted(folder.glob("part-*.parquet"))


def finish_parts(folder: Path) -> None:
    """Finish what a killed writer left: unfinished parts are removed, a merged part replaces the others."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    _put_merged_in_place(folder)


def write_part(folder: Path, rollouts: Sequence[Rollout]) -> Path:
    """Append one part with `rollouts`; afterwards either all of them are on disk or none.

    Raises RunDirError if the write fails; earlier parts are unchanged.
    """
    return write_table(folder, _to_table(rollouts))


def write_table(folder: Path, table: pa.Table) -> Path:
    """Append one part with a table of ROLLOUT_SCHEMA (and optional columns); unknown is null. Else as write_part."""
    return write_parquet(folder, table, floats=_FLOATS)


def write_parquet(folder: Path, table: pa.Table, *, floats: Sequence[str]) -> Path:
    """Append one part with any table; `floats`: the leaves of which hardly any two numbers are equal."""
    parts = part_files(folder)
    number = int(parts[-1].stem.removeprefix("part-")) + 1 if parts else 0
    target = folder / f"part-{number:06d}.parquet"
    with _whole_file(target) as temporary:
        _write(temporary, table, floats=floats)
    return target


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows in the columns of ROLLOUT_SCHEMA; what they lack is null."""
    columns = {each.name: pa.array([row.get(each.name) for row in rows], each.type) for each in ROLLOUT_SCHEMA}
    return pa.table(columns, schema=ROLLOUT_SCHEMA)


def replace_parts(folder: Path, rollouts: Sequence[Rollout]) -> None:
    """Replace all parts by one part with `rollouts`."""
    replace_table(folder, _to_table(rollouts))


def replace_table(folder: Path, table: pa.Table) -> None:
    """Replace all parts by one part with a table of ROLLOUT_SCHEMA, in which unknown values are null.

    It is complete under a name of its own before the others are removed. After a crash in between, part_files() uses it
    and finish_parts() finishes the move; readers of `part-*` alone may miss rows until then, but see none twice.
    """
    with _whole_file(folder / _MERGED) as temporary:
        _write(temporary, table, floats=_FLOATS)
    try:
        _put_merged_in_place(folder)
    except OSError as error:
        raise disk_error(folder, error) from error


def _put_merged_in_place(folder: Path) -> None:
    merged = folder / _MERGED
    if not merged.exists():
        return
    for path in sorted(folder.glob("part-*.parquet"), reverse=True):
        path.unlink()
    merged.rename(folder / "part-000000.parquet")
    sync_folder(folder)


@contextlib.contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    """A temporary path that becomes `target` in one synced move, if no exception is raised."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        yield temporary
        temporary.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise disk_error(target.parent, error) from error


def _write(path: Path, table: pa.Table, *, floats: Sequence[str]) -> None:
    with path.open("wb") as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=[name for name in _leaves(table.schema) if name not in floats],
            use_byte_stream_split=[name for name in _leaves(table.schema) if name in floats],
        )
        file.flush()
        os.fsync(file.fileno())


def _leaves(schema: pa.Schema) -> list[str]:
    return [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in schema]


def read_parts(folder: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All finished parts as one table, in the order of ROLLOUT_SCHEMA (or only `columns`, see all_columns()).

    Raises RunDirError for a part that is damaged or has a newer schema.
    """
    schema = ROLLOUT_SCHEMA if columns is None else pa.schema([_field(name) for name in columns])
    tables = [_read_part(path, schema) for path in part_files(folder)]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def all_columns(folder: Path) -> list[str]:
    """The columns of ROLLOUT_SCHEMA, and the optional ones that a part has. RunDirError as read_parts()."""
    return list(schema_with({name for path in part_files(folder) for name in _names(path)}).names)


def schema_with(names: Container[str]) -> pa.Schema:
    """ROLLOUT_SCHEMA with those optional columns that are among the names."""
    schema = ROLLOUT_SCHEMA
    for name, field in _OPTIONAL.items():
        schema = schema.append(field) if name in names else schema
    return schema


def _field(name: str) -> pa.Field:
    return _OPTIONAL[name] if name in _OPTIONAL else ROLLOUT_SCHEMA.field(name)


def read_part(path: Path, columns: Sequence[str]) -> pa.Table:
    """These columns of one part. RunDirError as read_parts."""
    return _read_part(path, pa.schema([ROLLOUT_SCHEMA.field(name) for name in columns]))


def rows_of_part(path: Path) -> list[Rollout]:
    """The records of one part, with every column that it has. RunDirError as read_parts."""
    return rollouts_from_table(_read_part(path, schema_with(_names(path))))


def is_whole(path: Path) -> bool:
    """Whether a part can be read: not if it is damaged, or was removed meanwhile.

    Raises RunDirError for a part with a newer schema, so that it is not mistaken for a damaged one.
    """
    try:
        require_regular(path)
        with pq.ParquetFile(path) as file:
            _refuse_newer(path, file)
            return set(ROLLOUT_SCHEMA.names) <= set(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError):
        return False


def rollouts_from_table(table: pa.Table) -> list[Rollout]:
    """The records of a table with all columns; their tokens and log-probabilities are views of the table's."""
    found = {name: dtype for name, dtype in FIELDS.items() if name in table.column_names}
    rows = table.drop_columns(list(found)).to_pylist()
    numbers = {name: from_column(table[name], dtype) for name, dtype in found.items()}
    return [
        Rollout(**row | {"extra": json.loads(row["extra"])} | {name: column[index] for name, column in numbers.items()})
        for index, row in enumerate(rows)
    ]


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(path: Path, error: OSError) -> RunDirError:
    """Error for a failed write, with the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RunDirError(
            f"{path}: no space left to write ({error.strerror}). Everything written before is safe; "
            f"free some space and run the same command to resume."
        )
    return RunDirError(
        f"{path}: cannot write ({error.strerror}). Everything written before is safe; "
        f"make the folder writable, or choose another with --out."
    )


def _to_table(rollouts: Iterable[Rollout]) -> pa.Table:
    rows = list(rollouts)
    names = [f.name for f in fields(Rollout)]
    values = zip(*map(attrgetter(*names), rows), strict=True) if rows else [()] * len(names)
    columns: dict[str, Any] = dict(zip(names, map(list, values), strict=True))
    columns["extra"] = [json.dumps(dict(extra), ensure_ascii=False) for extra in columns["extra"]]
    for name in (f.name for f in ROLLOUT_SCHEMA if f.type == pa.string()):
        columns[name] = [text if text is None else storable(text) for text in columns[name]]
    schema = schema_with({name for name in _OPTIONAL if any(value is not None for value in columns[name])})
    whole = {
        f.name: (to_column(columns[f.name], f.type) if f.name in FIELDS else pa.array(columns[f.name], f.type))
        for f in schema
    }
    return pa.table(whole, schema=schema)


def storable(text: str) -> str:
    """Text with `?` for lone surrogates, which UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode("utf-8")


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        require_regular(path)
        with pq.ParquetFile(path) as file:
            _refuse_newer(path, file)
            lacking = [name for name in schema.names if name in _OPTIONAL and name not in file.schema_arrow.names]
            table = file.read(columns=[name for name in schema.names if name not in lacking])
            for name in lacking:
                table = table.append_column(_OPTIONAL[name], pa.nulls(table.num_rows, _OPTIONAL[name].type))
            return table.select(schema.names).cast(schema)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error


def _names(path: Path) -> list[str]:
    try:
        require_regular(path)
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> RunDirError:
    return RunDirError(
        f"{path}: not a readable part of rollouts ({error}). Move this file away and run the evaluation again: "
        f"it generates the missing samples."
    )


def _refuse_newer(path: Path, file: pq.ParquetFile) -> None:
    version = int((file.schema_arrow.metadata or {}).get(_SCHEMA_KEY, b"0"))
    if version > ROLLOUT_SCHEMA_VERSION:
        raise RunDirError(
            f"{path}: rollouts of schema {version}, but this version reads up to {ROLLOUT_SCHEMA_VERSION}; "
            f"upgrade orz to read them."
        )
