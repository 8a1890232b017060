"""The recorder: whole lists, errors carried to the caller, everything written on leaving."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import GradingError
from orz_bench.evaluation.recorder import PART_ROWS, Recorder
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Completion, Grade, Request, Rollout
from orz_bench.records.run_dir import EvaluationDir
from tests.support.builders import a_completion, a_grade, a_problem, a_request


def to_rollout(request: Request, completion: Completion, *, grade: Grade) -> Rollout:
    return Rollout.from_parts(
        request=request, completion=completion, grade=grade, step=3, grader_version="test", keep_tokens=False
    )


class Right:
    def __init__(self) -> None:
        self.threads: set[str] = set()

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        self.threads.add(threading.current_thread().name)
        return [a_grade() for _ in submissions]


class Broken:
    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        raise GradingError("the grader broke")


def requests(count: int) -> list[Request]:
    return [a_request(problem=a_problem(problem_id=f"p{i}")) for i in range(count)]


def completions(first: int, last: int) -> list[Completion]:
    return [a_completion(problem_id=f"p{i}") for i in range(first, last)]


def recorder(
    folder: Path, grader: Right | Broken, heard: list[Sequence[Rollout]] | None = None, **settings: Any
) -> Recorder:
    folder.mkdir(exist_ok=True)
    settings = {"on_committed": [].append if heard is None else heard.append} | settings
    return Recorder(EvaluationDir(folder), grader, requests=requests(5000), to_rollout=to_rollout, **settings)


def test_everything_is_on_disk_on_leaving(tmp_path: Path) -> None:
    grader = Right()
    with recorder(tmp_path / "e", grader) as record:
        record.add_all([completions(0, 3), completions(3, 5)])
    assert EvaluationDir(tmp_path / "e").keys() == {(f"p{i}", 0) for i in range(5)}
    assert grader.threads == {"orz-recorder"}


def test_also_after_an_error_in_the_engine(tmp_path: Path) -> None:
    def draw() -> Iterator[list[Completion]]:
        yield completions(0, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), recorder(tmp_path / "e", Right()) as record:
        record.add_all(draw())
    assert len(EvaluationDir(tmp_path / "e").keys()) == 3


def test_a_list_is_never_split_over_parts(tmp_path: Path) -> None:
    heard: list[Sequence[Rollout]] = []
    size = PART_ROWS // 2 + 1
    with recorder(tmp_path / "e", Right(), heard) as record:
        for start in range(0, 4 * size, size):
            record.add(completions(start, start + size))
    assert all(len(rollouts) % size == 0 for rollouts in heard)
    assert sum(map(len, heard)) == 4 * size


def test_rows_wait_until_a_part_is_full(tmp_path: Path) -> None:
    heard: list[Sequence[Rollout]] = []
    with recorder(tmp_path / "e", Right(), heard, part_seconds=1e6) as record:
        record.add_all([completions(0, PART_ROWS - 1), completions(PART_ROWS - 1, PART_ROWS)])
        record.add_all([completions(PART_ROWS, PART_ROWS + 3), completions(PART_ROWS + 3, PART_ROWS + 4)])
    assert [len(rollouts) for rollouts in heard] == [PART_ROWS, 4]


def test_rows_are_written_when_some_time_has_passed(tmp_path: Path) -> None:
    """Also those of a list after which nothing comes: the engine may draw for long before it hands over more."""
    heard: queue.Queue[Sequence[Rollout]] = queue.Queue()
    with recorder(tmp_path / "e", Right(), on_committed=heard.put, part_seconds=0.01) as record:
        for start in (0, 3):
            record.add(completions(start, start + 3))
            assert [rollout.problem_id for rollout in heard.get(timeout=1000)] == [f"p{start + i}" for i in range(3)]
    assert heard.empty()


def test_an_error_of_grading_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(GradingError, match="broke"), recorder(tmp_path / "e", Broken()) as record:
        record.add_all(completions(0, 3) for _ in range(100))


def test_an_error_of_the_last_list_is_raised_on_leaving(tmp_path: Path) -> None:
    with pytest.raises(GradingError, match="broke"), recorder(tmp_path / "e", Broken()) as record:
        record.add(completions(0, 3))


def test_an_error_inside_is_not_hidden_by_one_of_the_recorder(tmp_path: Path) -> None:
    def draw() -> Iterator[list[Completion]]:
        yield completions(0, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), recorder(tmp_path / "e", Broken()) as record:
        record.add_all(draw())


def test_rows_carry_their_step(tmp_path: Path) -> None:
    heard: list[Sequence[Rollout]] = []
    with recorder(tmp_path / "e", Right(), heard) as record:
        record.add(completions(0, 1))
    assert heard[0][0].step == 3
