"""Which format a file has, tables that no tool claims, and files that are none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orz_bench.commands import importing
from orz_bench.errors import ConfigError, DataError
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.registry import FORMATS, read_file
from tests.support.foreign_files import (
    LM_EVAL,
    QWEN,
    REVIEW,
    TURNS,
    VERIFIERS,
    VERL,
    lines,
    samples_of,
    whole,
)


def test_the_command_names_every_format() -> None:
    assert set(importing.FORMATS) == set(FORMATS)


def test_a_table_with_several_responses_in_a_row(tmp_path: Path) -> None:
    row = {"question": "q", "gold": "2", "responses": ["2", "3"], "correct": [True, False], "subject": "sums"}
    one, two = samples_of(lines(tmp_path / "a.jsonl", [row]), "jsonl")
    assert (one.completion, one.verdict, two.completion, two.verdict, two.place) == ("2", "correct", "3", "wrong", 1)
    assert one.extra == {"subject": "sums"}
    nested = {"question": "q", "rollouts": [{"text": "2", "correct": True}, {"text": "3", "correct": False}]}
    assert [s.verdict for s in samples_of(whole(tmp_path / "b.json", [nested]), "jsonl")] == ["correct", "wrong"]
    with pytest.raises(DataError, match="2 texts in responses, but 1 value in correct"):
        samples_of(lines(tmp_path / "c.jsonl", [row | {"correct": [True]}]), "jsonl")


def test_answers_without_questions_are_problems_of_their_own(tmp_path: Path) -> None:
    path = whole(tmp_path / "a.json", {"benchmark": "aime", "pass_at_1": 0.5, "responses": ["a", "b"]})
    assert len({sample.problem_id for sample in samples_of(path, "jsonl")}) == 2


def test_messages_in_a_table(tmp_path: Path) -> None:
    row = {"prompt": TURNS, "completion": [{"role": "assistant", "content": "2"}]}
    (sample,) = samples_of(lines(tmp_path / "a.jsonl", [row]), "jsonl")
    assert (sample.question, sample.completion) == ("1+1?", "2")


def test_a_table_of_weights_and_biases(tmp_path: Path) -> None:
    path = whole(tmp_path / "completions.table.json", {"columns": ["question", "completion"], "data": [["q", "a"]]})
    (sample,) = samples_of(path, "jsonl")
    assert (sample.question, sample.completion) == ("q", "a")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, None),
        ([], None),
        ([{"role": "user", "content": "x"}], None),
        ([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}], "a\n\nb"),
        ([{"type": "text", "text": "a"}, {"type": "image", "image": "i"}], "a"),
        ({"role": "assistant", "content": "a"}, "a"),
        (5, "5"),
    ],
)
def test_the_text_of_whatever_holds_one(value: Any, text: str | None) -> None:
    assert cells.text_of(value) == text


@pytest.mark.parametrize(
    ("value", "verdict"), [(1.0, "correct"), (False, "wrong"), (0.3, None), ("1", None), (None, None)]
)
def test_only_zero_and_one_are_verdicts(value: Any, verdict: str | None) -> None:
    assert cells.verdict_of(value) == verdict


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "a Git LFS pointer"),
        ("a.pt", b"PK\x03\x04whatever", "a pickle, which can run any program"),
        ("a.pkl", b"\x80\x04\x95", "a pickle"),
        ("a.jsonl", b"\x80\x04\x95", "a pickle"),
        ("a.json", b'{"results": {"a": 1}, "con', "not readable as JSON"),
        ("a.json", b'{"a": 1}', "found the fields a: neither responses"),
        ("a.txt", b"hello\n", "found lines of text"),
        ("a.csv", b"Model,MATH\nx,1\n", "found the fields Model, MATH"),
    ],
)
def test_what_is_no_file_of_results_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_file(tmp_path / name)


def test_a_named_format_is_the_only_one_tried(tmp_path: Path) -> None:
    path = lines(tmp_path / "7.jsonl", [VERL])
    assert read_file(path, named="jsonl")[0].name == "jsonl"
    with pytest.raises(DataError, match="which is no file of inspect; leave --from out"):
        read_file(path, named="inspect")
    with pytest.raises(ConfigError, match=r"format 'inspct' is unknown \(did you mean 'inspect'\?\)"):
        read_file(path, named="inspct")


def test_a_table_is_no_tools(tmp_path: Path) -> None:
    format_, contents = read_file(lines(tmp_path / "a.jsonl", [{"response": "x", "question": "q"}]))
    assert (format_.name, contents.tool) == ("jsonl", "")


BREAKERS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    dict.fromkeys,
    lambda row: {name: [] for name in row},
    lambda row: {name: {} for name in row},
    lambda row: dict.fromkeys(row, "text"),
    lambda row: dict.fromkeys(row, 10**400),
    lambda row: {name: [[[]]] for name in row},
]


@pytest.mark.parametrize(
    "row", [VERL, VERIFIERS, QWEN, LM_EVAL, REVIEW], ids=["verl", "verifiers", "qwen", "lm", "review"]
)
@pytest.mark.parametrize("breaker", range(len(BREAKERS)))
@pytest.mark.parametrize("place", ["first", "second"])
def test_broken_values_are_an_error_or_unknown_but_never_a_traceback(
    tmp_path: Path, row: dict[str, Any], breaker: int, place: str
) -> None:
    broken = BREAKERS[breaker](row)
    path = lines(tmp_path / "a.jsonl", [broken, row] if place == "first" else [row, broken])
    with suppress(DataError):
        _, contents = read_file(path)
        list(contents.samples() if contents.samples is not None else ())
