"""LiveCodeBench from the command line, and real programs with official verdicts where the data are at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orz_bench.benchmarks.livecodebench import parse_row, parse_tests
from orz_bench.errors import ConfigError
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.rollout import Problem
from orz_bench.sandbox.pool import Sandbox
from orz_bench.sandbox.worker import Worker, WorkerGoneError
from tests.support.programs import PROJECT
from tests.support.shared_data import shared_data

NUM_REAL = 90
"""Of 543, spread evenly; benchmarks/code_grading.py runs all."""


def a_row(number: int) -> dict[str, Any]:
    return {
        "question_id": f"toy_{number}",
        "question_content": f"Print the double of the number, and add {number}.",
        "contest_date": "2023-06-01T00:00:00",
        "difficulty": ("easy", "hard")[number % 2],
        "public_test_cases": [{"input": "4\n", "output": f"{8 + number}\n"}],
        "private_test_cases": [{"input": "-1\n", "output": f"{number - 2}\n"}],
        "metadata": {},
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "livecodebench_v1.jsonl").write_text("\n".join(json.dumps(a_row(n)) for n in range(400)), "utf-8")
    return folder


def orz_bench(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orz_bench.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=1000)


def test_eval_runs_programs_and_resumes(data: Path, tmp_path: Path) -> None:
    words: tuple[object, ...] = (
        "eval",
        "--ckpt",
        "fake",
        "--engine",
        "fake",
        "--bench",
        "livecodebench:release_v1",
        "--limit",
        6,
    )
    words += ("--data-dir", data, "--out", tmp_path / "run", "--json", "--n")
    first, more = orz_bench(*words, 2), orz_bench(*words, 3)
    assert "programs are run with" in first.stderr, first.stderr
    results = [json.loads(done.stdout)["results"][0] for done in (first, more)]
    assert [result["num_generated_now"] for result in results] == [12, 6]
    assert results[1]["verdicts"].keys() <= {"wrong", "no_answer"}
    assert results[1]["protocol"]["extractor"] == "lcb"
    assert results[1]["protocol"]["grader_version"].startswith("code ")
    assert results[1]["second_extractor"] == "fence"


def test_files_of_answers_are_graded(data: Path, tmp_path: Path) -> None:
    codes = {"toy_1": "print(2 * int(input()) + 1)", "toy_2": "print(10)", "toy_3": "print(2 * int(input()) + 3"}
    rows = [
        {"problem_id": name, "response": f"So:\n```python\n{code}\n```", "mine": name} for name, code in codes.items()
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    done = orz_bench(
        *("grade", "--bench", "livecodebench:release_v1", "--in", source, "--out", target, "--data-dir", data)
    )
    assert done.returncode == 0, done.stderr
    graded = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["verdict"] for row in graded] == ["correct", "wrong", "wrong"]
    assert [row["mine"] for row in graded] == list(codes)
    assert graded[1]["why"] == "test 2 of 2: line 1 is '10', wanted '0'"
    assert "SyntaxError" in graded[2]["why"]


def submission(problem: Problem, code: str) -> Submission:
    return Submission(gold=problem.gold, kind="code", num_choices=0, response=f"```\n{code}\n```")


def test_one_grader_for_programs_and_mathematics() -> None:
    problem = parse_row(a_row(1), 0, benchmark="toy")
    tests = parse_tests(a_row(1))
    mathematics = Submission(gold="2", kind="math", num_choices=0, response=r"\boxed{2}")
    right = submission(problem, "print(2 * int(input()) + 1)")
    with Grader(tests={tests.digest: tests}, num_workers=1) as grader:
        grades = grader.grade([right, mathematics, submission(problem, "print()"), right])
        assert [grade.verdict for grade in grades] == ["correct", "correct", "wrong", "correct"]
        assert (grades[0].second_extractor, grades[1].second_extractor) == ("fence", "boxed")
        assert grader.check_golds([problem]) == []
        empty = parse_tests(a_row(1) | {"public_test_cases": [], "private_test_cases": []})
    with Grader(extractor="lcb", tests={empty.digest: empty}) as grader:
        (fault,) = grader.check_golds(
            [Problem(benchmark="t", problem_id="p", question="?", gold=empty.digest, kind="code")]
        )
    assert fault.why == "there are no tests"


def test_without_isolation_it_refuses_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader(extractor="lcb") as grader:
        found = grader.check_isolation()

    class Open(Worker):
        """As on a machine without namespaces and Landlock."""

        def __init__(self, *, packages: list[str], namespaces: bool, python: str) -> None:
            if namespaces:
                raise WorkerGoneError("unshare: Operation not permitted")
            super().__init__(packages=packages, namespaces=True, python=python)
            self.isolation = type(found)(namespaces=False, seccomp=True, landlock=0, user="nobody")

    monkeypatch.setattr("orz_bench.sandbox.pool.Worker", Open)
    with pytest.raises(ConfigError, match=r"without namespaces and Landlock \(unshare: .*--allow-weak-isolation"):
        Sandbox().check()
    allowed = Sandbox(allow_weak_isolation=True)
    assert not allowed.check().is_adequate
    allowed.close()


def test_no_officially_passing_program_fails() -> None:
    """The tests that are known are few, so an officially failing one may pass."""
    folder = shared_data()
    rows = (folder / "eval" / "livecodebench_v5_880.jsonl").read_text("utf-8").splitlines()
    problems = {row["id"]: row for row in map(json.loads, rows)}
    rollouts = (folder / "rollouts" / "lcb_o1_rollouts.jsonl").read_text("utf-8").splitlines()
    passing = [
        row
        for row in map(json.loads, rollouts)
        if row["official_pass"] and problems[row["id"]]["public_tests_verified"] and row["id"] != "abc311_e"
    ]
    chosen = passing[:: len(passing) // NUM_REAL]
    tests = {row["id"]: parse_tests(problems[row["id"]]) for row in chosen}
    golds = {packed.digest: packed for packed in tests.values()}
    submissions = [
        Submission(gold=tests[row["id"]].digest, kind="code", num_choices=0, response=row["response"]) for row in chosen
    ]
    with Grader(extractor="lcb", tests=golds) as grader:
        grades = grader.grade(submissions)
    assert len(grades) >= NUM_REAL
    assert {row["id"]: grade.why for row, grade in zip(chosen, grades, strict=True) if not grade.is_correct} == {}
    assert all(grade.extracted == row["code"] for row, grade in zip(chosen, grades, strict=True))
