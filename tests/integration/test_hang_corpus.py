"""Answers made to hang, to eat memory or to crash a grader: a verdict for each, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orz_bench.grading.grader import Grader, Submission

DEADLINE_S, MEMORY_GIB = 0.8, 0.5

HANGS = {
    "power tower": "9^{9^{9^{9}}}",
    "power tower in brackets": "((((9^9)^9)^9)^9)^9",
    "power of a factorial": "(2000!)^{2000}",
    "symbolic tower": "x^{x^{x^{x^{x^{x^{x}}}}}}",
    "huge factorial": "100000000!",
    "factorial of a factorial": "(20!)!",
    "many factorials": "+".join(f"{n}!" for n in range(3000, 3400)),
    "binomial": r"\binom{10^{9}}{5 \cdot 10^{8}}",
    "60-deep fraction": r"\frac{1}{1+" * 60 + "x" + "}" * 60,
    "60-deep root": r"\sqrt{1+" * 60 + "2" + "}" * 60,
    "60-deep brackets": "(" * 60 + "x" + ")" * 60,
    "1,000-deep brackets": "(" * 1000 + "x" + ")" * 1000,
    "2,000 repeated terms": "+".join(["x"] * 2000),
    "2,000 products": "*".join(["(x+1)"] * 680),
    "polynomial": "(x+y+z+w)^{400} - 1",
    "sum with a huge range": r"\sum_{k=1}^{100000000} \frac{1}{k^{2}}",
    "product with a huge range": r"\prod_{k=1}^{1000000} k",
    "hard integral": r"\int_0^1 \sin(x^{x^{x}}) e^{\cos(x^{7})} dx",
    "limit": r"\lim_{n \to \infty} \frac{n!^{n}}{n^{n^{2}}}",
    "megabyte of digits": "7" * 1_000_000,
    "megabyte of letters": "abc " * 250_000,
    "megabyte of nested boxes": r"\boxed{" * 140_000,
    "gigabyte of memory": "(a+b+c+d+e+f)^{60} (g+h+i+j+k+l)^{60} - 1",
    "large matrix": r"\begin{pmatrix}" + r"\\".join("&".join(["x^{9}"] * 25) for _ in range(25)) + r"\end{pmatrix}",
    "set of thousands": r"\{" + ",".join(map(str, range(900))) + r"\}",
    "trigonometric tower": r"\sin(" * 50 + "x" + ")" * 50,
    "NUL and surrogate": "1\x002\ud800",
    "right to left": "\u202e42\u202c",
}
GOLDS = ("42", r"x^{2} + \sqrt{5}")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(extractor="boxed", num_workers=1, deadline_s=DEADLINE_S, memory_gib=MEMORY_GIB) as grader:
        grader.equal("x+1", "1+x")
        yield grader


@pytest.mark.parametrize("gold", GOLDS)
@pytest.mark.parametrize("name", HANGS)
def test_each_answer_gets_a_verdict(grader: Grader, name: str, gold: str) -> None:
    (grade,) = grader.grade([_submission(gold, HANGS[name])])
    assert grade.verdict != "correct" or HANGS[name] == gold
    assert grade.why
    assert grader.grade([_submission("x+1", "1+x")])[0].is_correct, "the pool is not healthy afterwards"


def test_memory_stays_bounded(grader: Grader) -> None:
    grader.grade([_submission("42", answer) for answer in HANGS.values()])
    pids = [pid for pid in _descendants(os.getpid()) if _is_of_the_grader(pid)]
    assert pids
    for pid in pids:
        peak_kib = _status(pid).get("VmHWM", 0)
        assert peak_kib < MEMORY_GIB * 2**20, f"process {pid} took {peak_kib / 2**20:.2f} GiB"


def test_no_process_is_left_behind() -> None:
    before = _descendants(os.getpid())
    with Grader(num_workers=2, deadline_s=DEADLINE_S) as grader:
        grader.grade([_submission("42", HANGS["symbolic tower"]), _submission("x+1", "1+x")])
        assert _descendants(os.getpid()) - before
    assert _gone(lambda: _descendants(os.getpid()) - before)


def test_a_killed_host_is_replaced(grader: Grader) -> None:
    for _ in range(3):
        for pid in _descendants(os.getpid()):
            if _is_of_the_grader(pid):
                os.kill(pid, signal.SIGKILL)
        grade = grader.grade([_submission("x+3", "3+x")])[0]
        assert grade.verdict == "correct", grade.why


def test_workers_die_with_a_killed_parent() -> None:
    code = (
        "import time; from orz_bench.grading.grader import Grader\n"
        "grader = Grader(num_workers=2); grader.equal('x+1', '1+x'); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = _descendants(parent.pid)
        assert len(children) >= 2
        parent.kill()
    assert _gone(lambda: {pid for pid in children if Path(f"/proc/{pid}").exists() and _status(pid)})


def test_threads_share_a_pool_while_answers_hang(grader: Grader) -> None:
    verdicts: list[str] = []

    def work(number: int) -> None:
        answer = HANGS["symbolic tower"] if number % 2 else f"{number} + x"
        verdicts.append(grader.grade([_submission(f"x + {number}", answer)])[0].verdict)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts.count("correct") == 3


def _submission(gold: str, answer: str) -> Submission:
    return Submission(gold=gold, kind="math", num_choices=0, response=f"\\boxed{{{answer}}}")


def _is_of_the_grader(pid: int) -> bool:
    return b"orz_bench.grading" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Vm")}


def _gone(find: Callable[[], set[int]]) -> bool:
    ends_at = time.monotonic() + 100
    while find() and time.monotonic() < ends_at:
        time.sleep(0.05)
    return not find()
