"""Exports are read back by independent readers as they were, and their texts do nothing."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.queries.exports import FORMATS, csv_of, exported, json_lines_of, markdown_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ROWS = st.lists(st.fixed_dictionaries({"text": TEXTS, "step": st.integers(), "reward": st.none() | st.floats(0, 1)}))


@given(ROWS)
def test_json_lines_are_exact(rows: list[dict[str, object]]) -> None:
    lines = "".join(json_lines_of(rows)).split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows


@given(ROWS)
def test_csv_brings_texts_back_but_for_the_apostrophe(rows: list[dict[str, object]]) -> None:
    text = "".join(csv_of(rows))
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == len(rows)
    for row, back in zip(rows, found, strict=True):
        original = str(row["text"]).replace("\0", "\ufffd")
        assert back["text"] in (original, f"'{row['text']}")
        assert back["step"] == str(row["step"])
        assert back["reward"] == ("" if row["reward"] is None else repr(row["reward"]))


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1"])
def test_no_spreadsheet_runs_a_text(text: str) -> None:
    [row] = csv.DictReader(io.StringIO("".join(csv_of([{"answer": text}])), newline=""))
    assert row["answer"].startswith("'")


@pytest.mark.parametrize("text", ["-3", "+4.5", "x = 1", "1-2"])
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert "".join(csv_of([{"answer": text}])) == f"answer\r\n{text}\r\n"


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
    assert exported([], name) == b""
    assert exported([{"a": "\ud800"}], name)
