"""Deadlines are CPU time, a timeout is tried once more alone, and threads that run alone never overlap others."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from orz_bench.errors import GradingError
from orz_bench.grading.grader import Grader, Submission
from orz_bench.grading.jobs import Job, Reply
from orz_bench.grading.workers.pool import GradingPool
from orz_bench.grading.workers.turns import Turns

HANGS = r"\prod_{n=1}^{\infty}\left(1-\frac{1}{n^2+n+7}\right)"
PAIRS = [
    (r"\sqrt{2+\sqrt{3}}", r"\frac{\sqrt6+\sqrt2}{2}"),
    (r"\sin^2 x", r"1-\cos^2 x"),
    (r"\frac{x^2-1}{x+1}", r"x-1"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&\frac{8}{2}\end{pmatrix}"),
]


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(8)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_busy_machine_times_no_right_answer_out() -> None:
    submissions = [
        Submission(gold=gold, kind="math", num_choices=0, response=rf"\boxed{{{answer}}}") for gold, answer in PAIRS
    ]
    with Grader(num_workers=4, deadline_s=0.5) as grader:
        grader.equal("x+1", "1+x")  # starts the host
        with busy_machine():
            grades = grader.grade(submissions)
    assert [grade.verdict for grade in grades] == ["correct"] * len(PAIRS)


def test_what_computes_too_long_is_a_timeout_and_the_next_job_is_not() -> None:
    pool = GradingPool("mathematics", num_workers=1, deadline_s=0.3, memory_gib=1.0)
    try:
        replies = pool.run([Job("5", HANGS, strict=True), Job("x+1", "1+x", strict=True)])
    finally:
        pool.close()
    assert [reply.verdict for reply in replies] == ["timeout", "correct"]
    assert "CPU time" in replies[0].why


def test_the_second_try_counts_and_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = GradingPool("mathematics", num_workers=4, deadline_s=1.0, memory_gib=1.0)
    running: list[str] = []
    beside: list[list[str]] = []
    tries: dict[str, int] = {}

    def judge(job: Job) -> Reply:
        running.append(job.answer)
        tries[job.answer] = tries.get(job.answer, 0) + 1
        is_second = tries[job.answer] == 2
        if is_second:
            beside.append([other for other in running if other != job.answer])
        running.remove(job.answer)
        return (
            Reply("timeout", "")
            if job.answer in ("slow", "hangs") and not (is_second and job.answer == "slow")
            else Reply("correct", "")
        )

    monkeypatch.setattr(pool, "_judge", judge)
    try:
        jobs = [Job("1", answer, strict=True) for answer in ("slow", "a", "b", "hangs", "c")]
        verdicts = [reply.verdict for reply in pool.run(jobs)]
    finally:
        pool.close()
    assert verdicts == ["correct", "correct", "correct", "timeout", "correct"]
    assert tries == {"slow": 2, "hangs": 2, "a": 1, "b": 1, "c": 1}
    assert beside == [[], []]


def test_only_a_closed_pool_is_called_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = GradingPool("mathematics", num_workers=1, deadline_s=1.0, memory_gib=1.0)

    def judge(_job: Job) -> Reply:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_judge", judge)
    with pytest.raises(RuntimeError, match="new thread"):
        pool.run([Job("1", "2", strict=True)])
    pool.close()
    with pytest.raises(GradingError, match="was closed"):
        pool.run([Job("1", "2", strict=True)])


def test_turns_never_overlap_with_one_who_is_alone() -> None:
    turns = Turns()
    inside: list[str] = []
    faults: list[str] = []

    def beside_others() -> None:
        for _ in range(200):
            with turns.turn(alone=False):
                inside.append("beside")
                if "alone" in inside:
                    faults.append("one beside the one alone")
                inside.remove("beside")

    def alone() -> None:
        for _ in range(50):
            with turns.turn(alone=True):
                inside.append("alone")
                if inside != ["alone"]:
                    faults.append("not alone")
                inside.remove("alone")

    threads = [threading.Thread(target=work) for work in (beside_others, beside_others, beside_others, alone, alone)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
