"""The only reader of rows, on real contents of foreign files; everything that reads rows uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reading.load import load_path
from orz_bench.benchmarks.loading.files import read_rows
from orz_bench.errors import DataError
from orz_bench.records.tables import parse_json, read_table
from orz_rl.rollout.problems import read_problems

ROW = {"problem": "1 + 1?", "answer": "2", "response": "é \u2028 2"}
TEXT = json.dumps(ROW, ensure_ascii=False)


def rows(path: Path, *, strict: bool = True) -> list[Any]:
    return [row for _, row in read_table(path, strict=strict)]


def written(folder: Path, content: bytes | str, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        f"\r\n{TEXT}\r\n\r\n".encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-32"),
        f"\n \n{TEXT}".encode(),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_byte_order_marks_and_line_ends_are_not_content(tmp_path: Path, content: bytes, strict: bool) -> None:
    assert rows(written(tmp_path, content), strict=strict) == [ROW]


def test_long_fields_and_numbers_are_read_whole(tmp_path: Path) -> None:
    long, digits = "x" * 400_000, "9" * 5000
    assert rows(written(tmp_path, f"problem,answer\n{long},2\n", "a.csv")) == [{"problem": long, "answer": "2"}]
    assert rows(written(tmp_path, f'{{"problem": "{long}", "answer": {digits}}}')) == [
        {"problem": long, "answer": digits}
    ]
    assert parse_json('{"a": 1e999, "b": 1e3, "c": 12}', strict=True) == {"a": "1e999", "b": 1000.0, "c": 12}


def test_what_json_does_not_have_is_absent_in_data_and_kept_from_other_tools() -> None:
    assert parse_json('{"a": NaN, "b": [Infinity, -Infinity]}', strict=True) == {"a": None, "b": [None, None]}
    assert str(parse_json('{"a": NaN}', strict=False)) == "{'a': nan}"


@pytest.mark.parametrize("strict", [True, False])
def test_half_an_emoji_can_be_stored(strict: bool) -> None:
    value = parse_json('{"a": ["\\ud83d", {"b\\udE00": "\\ud83d\\ude00"}]}', strict=strict)
    assert value == {"a": ["?", {"b?": "😀"}]}
    json.dumps(value, ensure_ascii=False).encode()


FAULTS = {
    "deep": ("a.jsonl", TEXT + "\n" + "[" * 200_000 + "\n", "line 2: .*nested too deeply"),
    "deep list": ("a.json", "[" * 200_000, "nested too deeply"),
    "zeros": ("a.jsonl", TEXT + "\n" + "\0" * 50 + "\n", "line 2: .*NUL"),
    "no object": ("a.jsonl", TEXT + "\n7\n", "line 2: found a JSON int, wanted an object"),
    "broken": ("a.jsonl", TEXT + '\n{"problem\n', "line 2: broken JSON"),
    "parquet": ("a.parquet", "PAR1 no", "cannot be read as Parquet"),
    "arrow": ("a.arrow", "no stream of batches", "cannot be read as Arrow"),
    "an arrow file": ("a.arrow", "ARROW1 no", "cannot be read as Arrow"),
    "no rows": ("a.json", "3", "array of objects"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("reader", [read_rows, lambda path: read_problems([str(path)]), load_path])
def test_a_fault_is_one_sentence_wherever_rows_are_read(
    tmp_path: Path, name: str, reader: Callable[[Path], Any]
) -> None:
    file, content, told = FAULTS[name]
    with pytest.raises(DataError, match=told) as caught:
        list(reader(written(tmp_path, content, file)))
    assert file in str(caught.value)


STRICT_FAULTS: dict[str, tuple[str, bytes | str, str]] = {
    "twice": ("a.jsonl", '{"answer": 1, "answer": 2}', "duplicate key 'answer'"),
    "torn": ("a.jsonl", TEXT + '\n{"problem', "line 2: broken JSON"),
    "latin": ("a.jsonl", '{"problem": "é"}'.encode("latin-1"), "not UTF-8 text"),
    "columns": ("a.csv", "a,a\n1,2\n", "duplicate column 'a'"),
    "more fields": ("a.csv", "a,b\n1,2\n1,2,3\n", "row 1: 3 fields, but the header has 2"),
    "fewer fields": ("a.csv", "a,b\n1\n", "row 0: 1 fields, but the header has 2"),
}


@pytest.mark.parametrize("name", STRICT_FAULTS)
def test_what_is_ambiguous_in_data_is_refused_and_read_from_other_tools(tmp_path: Path, name: str) -> None:
    file, content, told = STRICT_FAULTS[name]
    path = written(tmp_path, content, file)
    with pytest.raises(DataError, match=told):
        rows(path)
    assert rows(path, strict=False)


@pytest.mark.parametrize("writer", [pa.ipc.new_stream, pa.ipc.new_file])
def test_arrow_is_read_as_datasets_saves_it_and_as_a_file(tmp_path: Path, writer: Any) -> None:
    table = pa.table({"a": [1.0, float("nan")], "b": [["x"], None]})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, writer(sink, table.schema) as out:
        out.write_table(table, max_chunksize=1)
    assert list(read_table(tmp_path / "a.arrow")) == [
        ("row 0", {"a": 1.0, "b": ["x"]}),
        ("row 1", {"a": None, "b": None}),
    ]


def test_parquet_reports_a_duplicate_column_and_has_no_nan(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1.0, float("nan")]], names=["a"]), tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [{"a": 1.0}, {"a": None}]
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="duplicate column"):
        rows(tmp_path / "b.parquet")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text(), _VALUES, max_size=4), max_size=5), st.booleans())
def test_what_json_can_hold_comes_back(
    tmp_path_factory: pytest.TempPathFactory, content: list[Any], strict: bool
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    path = written(folder, "".join(json.dumps(row, ensure_ascii=strict) + "\n" for row in content))
    assert rows(path, strict=strict) == content


@given(st.binary(max_size=200), st.sampled_from([".jsonl", ".json", ".csv", ".parquet", ".arrow"]), st.booleans())
def test_no_bytes_are_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str, strict: bool
) -> None:
    path = written(tmp_path_factory.mktemp("rows"), content, f"a{suffix}")
    with suppress(DataError):
        rows(path, strict=strict)
