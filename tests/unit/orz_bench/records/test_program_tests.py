"""Hidden tests are read from a pickle of one text, and from nothing that does more."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from typing import Any

import pytest

from orz_bench.errors import DataError
from orz_bench.records import program_tests
from orz_bench.records.program_tests import PackedTests, pickled_text

ROWS = [{"input": "1\n", "output": "é☃", "testtype": "stdin"}]


def as_the_hub_has_it(value: Any, *, protocol: int = 4) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol=protocol))).decode()


def unpacked(private: str, *, function: str | None = None) -> Any:
    return PackedTests(public="[]", private=private, function=function).unpack()


@pytest.mark.parametrize("protocol", range(1, 6))
def test_a_pickled_text_is_read(protocol: int) -> None:
    (test,) = unpacked(as_the_hub_has_it(json.dumps(ROWS), protocol=protocol)).tests
    assert (test.input, test.output) == ("1\n", "é☃")


def test_a_text_longer_than_a_short_one_is_read() -> None:
    rows = [{"input": "x" * 70_000, "output": "y"}]
    assert len(unpacked(as_the_hub_has_it(json.dumps(rows))).tests[0].input) == 70_000


class Evil:
    """Calls a function when it is loaded."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (os.environ["ORZ_TEST_MARK"],)


@pytest.mark.parametrize(
    "value",
    [Evil(), [json.dumps(ROWS)], (json.dumps(ROWS), "x"), {"a": "b"}, b"bytes", 7, None, "a" + json.dumps(ROWS)],
    ids=lambda value: type(value).__name__,
)
def test_nothing_else_is_loaded(value: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORZ_TEST_MARK", str(tmp_path / "mark"))
    with pytest.raises(DataError):
        unpacked(as_the_hub_has_it(value))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"X\x02\x00\x00\x00[]X\x02\x00\x00\x00[].",
        b"(X\x02\x00\x00\x00[]o.",
        b"\x80\x04\x8c\x02[]",
        b"\x8c\xff",
        b"",
    ],
)
def test_a_pickle_by_hand_is_refused(content: bytes) -> None:
    with pytest.raises(DataError):
        pickled_text(content)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_tests, "MAX_BYTES", 10_000)
    with pytest.raises(DataError, match="more than 10,000 bytes"):
        unpacked(as_the_hub_has_it("x" * 10_001))


@pytest.mark.parametrize(
    ("private", "message"),
    [
        ("not base64!", "neither JSON nor base64"),
        (base64.b64encode(b"not zlib").decode(), "neither JSON nor base64"),
        (base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-4]).decode(), "truncated"),
        ('{"input": ""}', "neither JSON nor base64"),
        ('["x"]', "not a list of objects"),
        ('[{"input": "1"}]', "no text under 'output'"),
        ('[{"input": 1, "output": "1"}]', "no text under 'input'"),
    ],
)
def test_data_that_is_not_a_list_of_tests_is_named(private: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        unpacked(private)


@pytest.mark.parametrize("row", [{"input": "1\nx", "output": "1"}, {"input": "1", "output": "one"}])
def test_a_function_wants_json(row: dict[str, str]) -> None:
    assert unpacked(json.dumps([row])).tests
    with pytest.raises(DataError, match="not JSON"):
        unpacked(json.dumps([row]), function="f")


def test_the_digest_names_the_tests() -> None:
    base = PackedTests(public="[]", private="[]", function=None)
    others = [
        PackedTests(public="[] ", private="[]", function=None),
        PackedTests(public="[", private="][]", function=None),
        PackedTests(public="[]", private="[]", function="f"),
    ]
    assert len({item.digest for item in [base, *others]}) == 4
    assert base.digest == PackedTests(public="[]", private="[]", function=None).digest
