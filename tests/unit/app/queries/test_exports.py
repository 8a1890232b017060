"""Exports are read back by independent readers as they were, and their texts do nothing."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.queries.export_reading import rows_in
from app.queries.exports import FORMATS, csv_of, exported, json_lines_of, markdown_of, spreadsheet_csv_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ROWS = st.lists(st.fixed_dictionaries({"text": TEXTS, "step": st.integers(), "reward": st.none() | st.floats(0, 1)}))


@given(ROWS)
def test_json_lines_are_exact(rows: list[dict[str, object]]) -> None:
    lines = "".join(json_lines_of(rows)).split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows


@given(ROWS)
def test_csv_is_exact(rows: list[dict[str, object]]) -> None:
    text = "".join(csv_of(rows))
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == len(rows)
    for row, back in zip(rows, found, strict=True):
        assert back["text"] == row["text"]
        assert back["step"] == str(row["step"])
        assert back["reward"] == ("" if row["reward"] is None else repr(row["reward"]))


@given(st.lists(st.fixed_dictionaries({"a": TEXTS, "b: *c*": TEXTS, "d": st.lists(TEXTS)}), max_size=4))
def test_markdown_is_exact(rows: list[dict[str, object]]) -> None:
    data = "".join(markdown_of(rows)).encode()
    wanted = [row | {"d": json.dumps(row["d"], ensure_ascii=False)} for row in rows]
    assert list(rows_in(data, name="a.md")) == wanted


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", "\n=1", "\uff1d1", "-1/2"]
)
def test_no_spreadsheet_runs_a_text_or_a_name_of_the_csv_for_spreadsheets(text: str) -> None:
    [row] = csv.DictReader(io.StringIO("".join(spreadsheet_csv_of([{"answer": text, text: "1"}])), newline=""))
    assert row["answer"].startswith("'")
    assert f"'{text}" in row
    [row] = csv.DictReader(io.StringIO("".join(csv_of([{"answer": text, text: "1"}])), newline=""))
    assert (row["answer"], row[text]) == (text, "1")


@pytest.mark.parametrize("write", [csv_of, spreadsheet_csv_of])
@pytest.mark.parametrize("text", ["-3", "+4.5", "x = 1", "1-2"])
def test_numbers_and_other_texts_stay(text: str, write: Callable[..., Iterator[str]]) -> None:
    assert "".join(write([{"answer": text}])) == f"answer\r\n{text}\r\n"


def test_unknown_is_empty() -> None:
    row = {"a": None, "b": math.nan, "c": {"x": 1}}
    assert "".join(csv_of([row])) == 'a,b,c\r\n,,"{""x"": 1}"\r\n'
    assert "".join(json_lines_of([row])) == '{"a": null, "b": null, "c": {"x": 1}}\n'
    assert "- a" not in "".join(markdown_of([row]))


def test_no_text_ends_its_fence() -> None:
    text = "before\n````\n<script>alert(1)</script>\n```\n# heading"
    lines = "".join(markdown_of([{"completion": text, "verdict": "*wrong*"}])).split("\n")
    fences = [number for number, line in enumerate(lines) if line.startswith("`````")]
    assert "\n".join(lines[fences[0] + 1 : fences[1]]) == text
    assert "- verdict: \\*wrong\\*" in lines


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_rows_one_by_one(name: str) -> None:
    taken = []

    def rows() -> object:
        for number in range(3):
            taken.append(number)
            yield {"n": number}

    pieces = FORMATS[name].write(rows())  # type: ignore[arg-type]  # a generator of rows
    next(pieces)
    assert taken == [0]
    assert (exported([], name) == b"") == FORMATS[name].comes_back, "a page says that it is empty"
    assert exported([{"a": "\ud800"}], name)
