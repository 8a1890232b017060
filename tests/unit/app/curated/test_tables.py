"""Files of a set as tables: what is no file of ours is said in one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.curated.fates import fates_of
from app.curated.state import DataState
from app.curated.tables import TableFile, containing
from orz_bench.errors import ConfigError, DataError
from orz_bench.records.curated import FATE_COLUMNS, FATES, PAIR_COLUMNS, PAIRS


def _write(table: pa.Table) -> Callable[[Path], object]:
    return lambda path: pq.write_table(table, path)


def _without(table: pa.Table) -> pa.Table:
    return table.drop_columns(["reason"])


EMPTY = FATE_COLUMNS.empty_table()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"PAR1 and nothing else"), "; restore it, or curate the set again."),
        (lambda path: path.mkdir(), "a folder, wanted a regular file"),
        (os.mkfifo, "a pipe"),
        (_write(_without(EMPTY)), "has no column 'reason', so `orz-rl curate` did not write it"),
        (_write(pa.table({"a": [1]})), "has no column 'source'"),
        (_write(EMPTY.set_column(3, "question", pa.array([], pa.int32()))), "has INTEGER in the column 'question'"),
        (_write(EMPTY.set_column(3, "question", pa.array([], pa.list_(pa.string())))), "in the column 'question'"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_ours(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / FATES)
    table = TableFile(tmp_path / FATES, FATE_COLUMNS)
    asked: list[Callable[[], Any]] = [
        lambda: table.places([]),
        lambda: table.rows([0]),
        lambda: table.counts(["stage"]),
    ]
    for ask in asked:
        with pytest.raises(DataError) as error:
            ask()
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_that_is_cut_in_its_texts(mix: Path, tmp_path: Path) -> None:
    """Its end, with the columns, is whole."""
    data = bytearray((mix / FATES).read_bytes())
    middle = len(data) // 3
    data[middle : middle + 400] = os.urandom(400)
    (tmp_path / FATES).write_bytes(data)
    table = fates_of(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        table.rows(range(60))


@pytest.mark.parametrize("name", ["it's", "a[b]*?", "x=1", 'say "so"', "%s {}", "täg"])
def test_any_name_of_a_folder(mix: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    shutil.copy(mix / FATES, tmp_path / name / FATES)
    assert len(fates_of(tmp_path / name).places([])) == len(fates_of(mix).places([]))
    (tmp_path / name / FATES).unlink()
    with pytest.raises(DataError, match="No such file"):
        fates_of(tmp_path / name).places([])


def test_unknown_values_and_columns_of_a_later_version(tmp_path: Path) -> None:
    row = dict.fromkeys(PAIR_COLUMNS.names)
    table = pa.Table.from_pylist([row], schema=PAIR_COLUMNS).append_column("later", pa.array([1]))
    pq.write_table(table, tmp_path / PAIRS)
    (found,) = TableFile(tmp_path / PAIRS, PAIR_COLUMNS).rows([0])
    assert found == {"place": 0, **dict.fromkeys(row, ""), "similarity": 0.0}


def test_a_search_text_that_is_too_long() -> None:
    with pytest.raises(ConfigError, match="501 characters"):
        containing("x" * 501, ["question"])
    assert containing(DataState().text, ["question"]) == []
