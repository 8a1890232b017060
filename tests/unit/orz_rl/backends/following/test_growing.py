from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orz_rl.backends.following.growing import RESTARTED, GrowingLines
from tests.support.followed import write


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[GrowingLines]:
    with closing(GrowingLines(tmp_path / "log")) as found:
        yield found


def _read(lines: GrowingLines, *, is_last: bool = False) -> list[str | None]:
    return list(lines.read(lambda _: is_last))


@pytest.mark.parametrize("seed", range(20))
def test_lines_come_once_and_whole_however_they_arrive(tmp_path: Path, lines: GrowingLines, seed: int) -> None:
    rng = random.Random(seed)
    texts = ["", "ä" * rng.randrange(4), "a", "b", "x" * rng.randrange(300), "last"]
    content = "".join(text + rng.choice("\r\n") for text in texts).encode()
    path, found = tmp_path / "log", []
    while content:
        size = rng.randrange(1, len(content) + 1)
        write(path, content[:size])
        content = content[size:]
        found += _read(lines)
    assert found == texts
    assert _read(lines, is_last=True) == []


def test_a_file_that_is_not_there_yet(tmp_path: Path, lines: GrowingLines) -> None:
    assert _read(lines) == []
    write(tmp_path / "log", "a\nb")
    assert _read(lines) == ["a"]
    assert _read(lines, is_last=True) == ["b"]


@pytest.mark.parametrize("is_longer", [False, True])
def test_a_truncated_file_is_read_from_its_start(tmp_path: Path, lines: GrowingLines, is_longer: bool) -> None:
    path = tmp_path / "log"
    write(path, "one\ntwo\nhal")
    assert _read(lines) == ["one", "two"]
    new = [f"new {number}" for number in range(50 if is_longer else 1)]
    write(path, "".join(f"{text}\n" for text in new), mode="w")
    assert _read(lines) == [RESTARTED, *new]
    assert _read(lines) == []


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(tmp_path: Path, lines: GrowingLines) -> None:
    path = tmp_path / "log"
    write(path, "one\n")
    assert _read(lines) == ["one"]
    write(path, "two\n")
    path.rename(tmp_path / "log.1")
    assert _read(lines) == ["two"]
    write(path, "three\n")
    assert _read(lines) == [RESTARTED, "three"]


def test_a_file_rotated_by_copying_is_read_to_the_end_of_the_copy(tmp_path: Path, lines: GrowingLines) -> None:
    path = tmp_path / "log"
    write(path, "one\ntw")
    assert _read(lines) == ["one"]
    write(path, "o\nthree\n")
    write(tmp_path / "log.1", path.read_bytes())
    write(path, "four\n", mode="w")
    assert _read(lines) == ["two", "three", RESTARTED, "four"]
