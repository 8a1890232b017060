"""Grading a file of answers: rows are kept, faults are named, a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import DataError, RunDirError
from orz_bench.exchange.grade_file import grade_file
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Grade
from tests.support.builders import a_grade


class TextGrader:
    """Right where the response ends with the gold."""

    identity = "text"

    def __init__(self, *, fails_after: int | None = None) -> None:
        self.num_graded = 0
        self._fails_after = fails_after

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        if self._fails_after is not None and self.num_graded >= self._fails_after:
            raise KeyboardInterrupt
        self.num_graded += len(submissions)
        verdicts = ("correct" if s.response.endswith(s.gold) else "wrong" for s in submissions)
        return [a_grade(verdict=verdict) for verdict in verdicts]


def rows_in(tmp_path: Path, *rows: dict[str, Any] | str) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def graded(source: Path, grader: TextGrader, *, name: str = "arithmetic_mixed") -> list[dict[str, Any]]:
    target = source.with_name("out.jsonl")
    grade_file(get_benchmark(name), source, target=target, grader=grader, folders=[])  # type: ignore[arg-type]
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()]


def test_rows_keep_their_fields(tmp_path: Path) -> None:
    row = {"problem_id": "arithmetic-L1-00", "response": "it is 11", "stop_reason": "eos", "mine": [1]}
    (out,) = graded(rows_in(tmp_path, row), TextGrader())
    assert out.items() >= row.items()
    assert (out["verdict"], out["extracted"], out["why"]) == ("correct", "2", "same text")


def test_two_processes_do_not_grade_into_one_file(tmp_path: Path) -> None:
    source = rows_in(tmp_path, {"problem_id": "x", "response": "9", "gold": 9})

    class GradesTheSameMeanwhile(TextGrader):
        def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
            with pytest.raises(RunDirError, match="another process grades the same file"):
                graded(source, TextGrader())
            return super().grade(submissions)

    assert len(graded(source, GradesTheSameMeanwhile())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_half_characters_of_a_row_are_question_marks(tmp_path: Path) -> None:
    row = {"problem_id": "x", "response": "half \ud83d 9", "gold": 9}
    (out,) = graded(rows_in(tmp_path, row), TextGrader())
    assert out.items() >= (row | {"response": "half ? 9"}).items()


def test_a_rows_own_gold_wins(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"problem_id": "unknown", "response": "9", "gold": 9}]
    rows += [{"problem_id": "arithmetic-L1-00", "response": "9"}]
    assert [row["verdict"] for row in graded(rows_in(tmp_path, *rows), TextGrader())] == ["correct", "wrong"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"response": ', r"line 2: broken JSON \(Expecting value"),
        ("[1]", "line 2: found a JSON list, wanted an object"),
        ('{"problem_id": "q9", "response": "x"}', "line 2: arithmetic_mixed has no problem 'q9'"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(tmp_path: Path, line: str, fault: str) -> None:
    source = rows_in(tmp_path, {"problem_id": "a", "response": "9", "gold": 9}, line)
    with pytest.raises(DataError, match=fault):
        graded(source, TextGrader())
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_file_without_responses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: found no text under 'response' \(keys: text\)"):
        graded(rows_in(tmp_path, '{"text": "x"}'), TextGrader())


@pytest.mark.parametrize("row", [{"response": None}, {"response": 7}, {"response": ["x"]}, {}])
def test_a_row_without_a_text_has_no_answer(tmp_path: Path, row: dict[str, Any]) -> None:
    around = [{"problem_id": "a", "response": "9", "gold": 9}, {"problem_id": "c", "response": "8", "gold": 9}]
    rows = graded(rows_in(tmp_path, around[0], row | {"problem_id": "b"}, around[1]), TextGrader())
    assert [one["verdict"] for one in rows] == ["correct", "no_answer", "wrong"]
    assert rows[1].keys() >= rows[0].keys() - {"response", "gold"}
    assert rows[1].get("response") == row.get("response")


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"problem_id": "a", "gold": 9, "response": "\xff"}\n')
    with pytest.raises(DataError, match="not UTF-8 text"):
        graded(source, TextGrader())
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_pipe_is_refused_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.jsonl")
    with pytest.raises(DataError, match=r"is a pipe \(FIFO\)"):
        graded(tmp_path / "in.jsonl", TextGrader())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read it"):
        graded(tmp_path / "in.jsonl", TextGrader())


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    rows = [{"problem_id": str(i), "response": str(i % 3), "gold": 1} for i in range(3000)]
    source = rows_in(tmp_path, *rows)
    with pytest.raises(KeyboardInterrupt):
        graded(source, TextGrader(fails_after=2048))
    (partial,) = tmp_path.glob(".out.jsonl.*.partial")
    with partial.open("a", encoding="utf-8") as file:
        file.write('{"torn')
    grader = TextGrader()
    assert [row["verdict"] == "correct" for row in graded(source, grader)] == [i % 3 == 1 for i in range(3000)]
    assert grader.num_graded == 3000 - 2048
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_another_input_starts_anew(tmp_path: Path) -> None:
    rows = [{"problem_id": str(i), "response": "1", "gold": 1} for i in range(1500)]
    with pytest.raises(KeyboardInterrupt):
        graded(rows_in(tmp_path, *rows), TextGrader(fails_after=1024))
    grader = TextGrader()
    graded(rows_in(tmp_path, *rows[:1400]), grader)
    assert grader.num_graded == 1400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_the_parts_of_a_verdict_are_written_too(tmp_path: Path) -> None:
    class Parted(TextGrader):
        def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
            return [a_grade(extra={"instructions": [{"id": "x", "strict": True}]}) for _ in submissions]

    (row,) = graded(rows_in(tmp_path, {"problem_id": "1", "response": "1", "gold": 1}), Parted())
    assert row["instructions"] == [{"id": "x", "strict": True}]
