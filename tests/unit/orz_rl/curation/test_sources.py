"""Sources: what is read, what is dropped with a reason, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, DataError
from orz_rl.curation.rows import Fate
from orz_rl.curation.settings import SourceSettings
from orz_rl.curation.sources import open_sources, read_rows, source_names
from tests.support.curation_rows import write_lines

GOOD = {"problem": "What is 1 + 1?", "answer": "2"}


def _read(*paths: str | Path) -> list[Fate]:
    return list(read_rows(open_sources([SourceSettings(path=str(path)) for path in paths])))


def _facts(fates: Sequence[Fate]) -> list[tuple[str, str, str]]:
    return [(fate.row.question, fate.row.answer, fate.reason) for fate in fates]


def test_json_lines_with_other_columns(tmp_path: Path) -> None:
    rows = [{"uid": 7, **GOOD, "level": 3, "solution": "x" * 500, "choices": ["a", "b"], "source": "elsewhere"}]
    (fate,) = _read(write_lines(tmp_path / "rows.jsonl", rows))
    assert (fate.row.id, fate.row.source, fate.row.place, fate.row.number) == ("7", "rows", "line 1", 0)
    assert fate.row.extra == {"level": 3, "choices": True}


def test_the_format_of_orz(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "1 + 1?"}, {"from": "assistant", "ground_truth": {"value": "2"}}]
    path = tmp_path / "orz.json"
    path.write_text(json.dumps([turns, [{"from": "human", "value": "only a question"}]]), encoding="utf-8")
    first, second = _read(path)
    assert (first.row.question, first.row.answer, first.row.id) == ("1 + 1?", "2", "orz-0")
    assert second.reason == "broken_row"


def test_broken_rows_are_dropped_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps(GOOD).encode(),
        b"{broken",
        json.dumps({"problem": "no answer"}).encode(),
        json.dumps({"problem": "", "answer": "2"}).encode(),
        json.dumps({"problem": "null", "answer": None}).encode(),
        b'{"problem": "caf\xe9?", "answer": "2"}',
        b"[1, 2]",
        json.dumps({"problem": "caf\u00e9?", "answer": "2"}, ensure_ascii=False).encode(),
        json.dumps({"problem": ["a list"], "answer": {"an": "object"}}).encode(),
    ]
    path.write_bytes(b"\n".join(lines))
    fates = _read(path)
    assert [fate.reason for fate in fates] == [
        "", "broken_row", "no_answer", "no_question", "no_answer", "broken_row", "broken_row", "", "no_question"
    ]  # fmt: skip
    assert "byte 0xe9" in fates[5].evidence["why"]
    assert [fate.row.place for fate in fates] == [f"line {number}" for number in range(1, 10)]
    assert len({fate.row.id for fate in fates}) == 9


def test_ids_are_unique_over_all_sources(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl", [{"id": "a", **GOOD}, {"id": "a", **GOOD}])
    two = write_lines(tmp_path / "two.jsonl", [{"id": "a", **GOOD}, GOOD])
    assert [fate.row.id for fate in _read(one, two)] == ["a", "one:a", "two:a", "two-1"]


def test_names_of_sources() -> None:
    settings = [SourceSettings(path="a/x.jsonl"), SourceSettings(path="b/x.jsonl"), SourceSettings(path="y.csv")]
    assert source_names(settings) == ["a/x", "b/x", "y"]
    with pytest.raises(ConfigError, match="two are called"):
        source_names([SourceSettings(path="x.jsonl"), SourceSettings(path="x.jsonl")])


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [{"question": "q", "problem": "p", "target": 4, "answer": "5"}])
    with pytest.raises(DataError, match="could each be the"):
        _read(path)
    (fate,) = _read(f"{path}:question=problem:answer=target")
    assert (fate.row.question, fate.row.answer) == ("p", "4")


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        _read(tmp_path / "gone.jsonl")
    with pytest.raises(ConfigError, match="is no source; wanted a file"):
        _read("rows.txt")
    with pytest.raises(DataError, match="answer"):
        _read(write_lines(tmp_path / "q.jsonl", [{"problem": "p", "solution": "s"}]))
    (tmp_path / "broken.jsonl").write_text("{broken\nnope\n", encoding="utf-8")
    with pytest.raises(DataError, match="none of its first 2 rows can be read; line 1: broken JSON"):
        _read(tmp_path / "broken.jsonl")
    with pytest.raises(ConfigError, match="kind=choice"):
        _read(f"{write_lines(tmp_path / 'r.jsonl', [GOOD])}:kind=choice")


def test_another_content_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [GOOD])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (source,) = open_sources([SourceSettings(path=str(path), sha256=digest)])
    assert source.sha256 == digest
    write_lines(path, [GOOD, GOOD])
    with pytest.raises(DataError, match=f"its SHA-256 is .*, but {digest} is wanted"):
        open_sources([SourceSettings(path=str(path), sha256=digest)])


def test_tasks_of_a_program(tmp_path: Path) -> None:
    def made(**settings: object) -> list[Fate]:
        return list(read_rows(open_sources([SourceSettings.model_validate(settings)])))

    sums = made(path="arithmetic", count=3)
    assert [fate.row.id for fate in sums] == ["arithmetic-0", "arithmetic-1", "arithmetic-2"]
    assert sums[0].row.question.startswith("What is ")
    legs = made(path="reasoning_gym:leg_counting", count=4, settings={"seed": 7})
    assert _facts(legs) == _facts(made(path="reasoning_gym:leg_counting", count=4, settings={"seed": 7}))
    assert _facts(legs) != _facts(made(path="reasoning_gym:leg_counting", count=4, settings={"seed": 8}))
    assert legs[0].row.extra["category"] == "leg_counting"
    assert "difficulty" in legs[0].row.extra
    with pytest.raises(ConfigError, match="is no generator whose answers"):
        made(path="reasoning_gym:countdown")
    with pytest.raises(ConfigError, match="does not take these settings"):
        made(path="reasoning_gym:leg_counting", settings={"min_legs": 3})
    with pytest.raises(ConfigError, match="takes no settings"):
        made(path="arithmetic", settings={"seed": 1})
