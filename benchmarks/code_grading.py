"""Programs with ten tests each, two at once: the sandbox against LiveCodeBench's own runner, in alternating blocks.

ours: Grader, two workers; every program is new to it. theirs: `evaluate_generations` with two processes and its six
seconds, from a checkout that $ORZ_PEER_LIVECODEBENCH names; without one, a plain runner of our own rules stands in: a
process a program, every test by exec() in it, standard streams replaced, no isolation. The record says which. Both have
started before anything is measured. On a machine with other work the clock says little: the seconds that all processes
of each side computed are recorded, too.

Programs are the 240 first that the official runner passed; their few known tests are repeated until there are ten. All
are run three times.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from _record import data_folder, keep

from orz_bench.benchmarks.livecodebench import parse_tests
from orz_bench.grading.code.compare import why_output_differs, why_value_differs
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.program_tests import PackedTests
from orz_bench.sandbox.program import preamble
from orz_bench.sandbox.values import encode

NUM_PROGRAMS, NUM_TESTS, BLOCK, WORKERS, ROUNDS = 240, 10, 60, 2, 3
EXTRACTOR = "lcb"
"""The protocol's; a grader with one for mathematics would start Math-Verify meanwhile."""
_PEER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from lcb_runner.evaluation.compute_code_generation_metrics import evaluate_generations
print("ready", file=sys.__stdout__, flush=True)
for line in sys.stdin:
    tasks = json.loads(line)
    start, before = time.monotonic(), [getrusage(who)[:2] for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    samples = [{"input_output": json.dumps(task["tests"])} for task in tasks]
    results, _ = evaluate_generations(samples, [[task["code"]] for task in tasks], num_process_evaluate=2)
    passed = [all(value is True for value in results[i][0]) for i in range(len(tasks))]
    seconds, after = time.monotonic() - start, [getrusage(who)[:2] for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    cpu = sum(map(sum, after)) - sum(map(sum, before))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "passed": passed}), file=sys.__stdout__, flush=True)
"""


def main() -> None:
    tasks = _tasks()
    checkout = os.environ.get("ORZ_PEER_LIVECODEBENCH")
    seconds, cpu = {"ours": 0.0, "theirs": 0.0}, {"ours": 0.0, "theirs": 0.0}
    differing = []
    golds = {task["gold"]: task["packed"] for task in tasks}
    with Grader(extractor=EXTRACTOR, num_workers=WORKERS, tests=golds) as grader, _peer(checkout) as peer:
        isolation = str(grader.check_isolation())
        grader.grade([_submission(tasks[0], code="print()")] * WORKERS)
        for number, first in itertools.product(range(ROUNDS), range(0, len(tasks), BLOCK)):
            block = [task | {"code": f"{task['code']}\n# {number}"} for task in tasks[first : first + BLOCK]]
            start, before = time.monotonic(), _computed_s()
            grades = grader.grade([_submission(task, code=task["code"]) for task in block])
            seconds["ours"] += time.monotonic() - start
            cpu["ours"] += _computed_s() - before
            spent, computed, passed = peer(block)
            seconds["theirs"] += spent
            cpu["theirs"] += computed
            differing += [
                {"id": t["id"], "ours": g.verdict, "why": g.why[:60], "theirs": p}
                for t, g, p in zip(block, grades, passed, strict=True)
                if g.is_correct != p
            ]
    agreement = _agreement()
    for difference in differing:
        print(json.dumps(difference))
    keep(
        "code_grading",
        {
            "num_programs": len(tasks),
            "tests_a_program": NUM_TESTS,
            "peer": "LiveCodeBench's own runner" if checkout else "a plain in-process runner of our rules",
            "isolation": isolation,
            "programs_per_second": {name: round(ROUNDS * len(tasks) / spent, 2) for name, spent in seconds.items()},
            "ratio": round(seconds["theirs"] / seconds["ours"], 2),
            "cpu_ms_a_program": {name: round(1000 * spent / ROUNDS / len(tasks), 2) for name, spent in cpu.items()},
            "ratio_of_cpu_time": round(cpu["theirs"] / cpu["ours"], 2),
            "verdicts_that_differ": {
                "ours passes, theirs not": sum(d["ours"] == "correct" for d in differing),
                "theirs passes, ours not": sum(bool(d["theirs"]) for d in differing),
            },
            "all_programs_with_verified_tests": agreement,
            "problems_with_two_different_outputs": _guesses(),
        },
    )


def _computed_s() -> float:
    """By this process and all below it so far; the peer computes nothing while it is not asked."""
    ticks, parents = {}, {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                fields = (entry / "stat").read_text("ascii", errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)], ticks[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))

    def is_below(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_below(parents[pid]))

    return sum(spent for pid, spent in ticks.items() if is_below(pid)) / os.sysconf("SC_CLK_TCK")


def _agreement() -> dict[str, int]:
    """The known tests of all programs, against the official verdicts, which rest on all hidden tests."""
    problems, rows = _data()
    rows = [row for row in rows if problems[row["id"]]["public_tests_verified"]]
    packed = {row["id"]: parse_tests(problems[row["id"]]) for row in rows}
    with Grader(
        extractor=EXTRACTOR, num_workers=WORKERS, tests={tests.digest: tests for tests in packed.values()}
    ) as grader:
        submissions = [
            Submission(gold=packed[row["id"]].digest, kind="code", num_choices=0, response=row["response"])
            for row in rows
        ]
        grades = grader.grade(submissions)
    for row, grade in zip(rows, grades, strict=True):
        if row["official_pass"] and not grade.is_correct:
            print(json.dumps({"id": row["id"], "officially": "passes", "ours": grade.why}))
    pairs = [(row["official_pass"], grade.is_correct) for row, grade in zip(rows, grades, strict=True)]
    return {
        "officially passing": sum(official for official, _ in pairs),
        "of these ours passes": pairs.count((True, True)),
        "officially failing": sum(not official for official, _ in pairs),
        "of these ours fails on the few known tests": pairs.count((False, False)),
    }


_MARKED = """
import math
is_first = "seen" not in dir(math)
math.seen = True
print({first!r} if is_first else {later!r})
"""
_LUCKY = "import random\nprint(random.choice({words!r}))"


def _guesses() -> dict[str, float]:
    """Programs that know both outputs, and nothing else: one that answers otherwise at a second try, and luck."""
    problems, _ = _data()
    found = []
    for problem in problems.values():
        words = sorted({test["output"].strip() for test in problem["public_test_cases"]})
        if len(words) == 2 and not problem["metadata"].get("func_name"):
            found.append((parse_tests(problem), words))
    marked = [(tests, _MARKED.format(first=a, later=b)) for tests, (a, b) in found]
    marked += [(tests, _MARKED.format(first=b, later=a)) for tests, (a, b) in found]
    lucky = [(tests, f"{_LUCKY.format(words=words)}  # {n}") for tests, words in found for n in range(6)]
    with Grader(extractor=EXTRACTOR, num_workers=WORKERS, tests={tests.digest: tests for tests, _ in found}) as grader:
        passed = [
            sum(
                grade.is_correct
                for grade in grader.grade([_submission({"gold": t.digest}, code=code) for t, code in programs])
            )
            for programs in (marked, lucky)
        ]
    return {
        "problems": len(found),
        "two_tries_pass": passed[0],
        "lucky_programs": len(lucky),
        "lucky_programs_pass": passed[1],
        "expected_of_one_try": round(sum(0.5 ** len(tests.unpack().tests) for tests, _ in lucky), 1),
    }


def _data() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Problems by id, and the rollouts."""
    folder = data_folder()
    lines = (folder / "eval" / "livecodebench_v5_880.jsonl").read_text("utf-8").splitlines()
    rollouts = (folder / "rollouts" / "lcb_o1_rollouts.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}, list(map(json.loads, rollouts))


def _tasks() -> list[dict[str, Any]]:
    problems, rows = _data()
    tasks = []
    for row in rows:
        problem = problems[row["id"]]
        if not (row["official_pass"] and problem["public_tests_verified"]):
            continue
        tests = list(islice(cycle(problem["public_test_cases"]), NUM_TESTS))
        function = problem["metadata"].get("func_name")
        packed = PackedTests(public=json.dumps(tests), private="[]", function=function)
        shown = {"inputs": [t["input"] for t in tests], "outputs": [t["output"] for t in tests]}
        shown |= {"fn_name": function} if function else {}
        task = {"id": row["id"], "code": row["code"], "tests": shown, "gold": packed.digest, "packed": packed}
        tasks.append(task)
    return tasks[:NUM_PROGRAMS]


def _submission(task: dict[str, Any], *, code: str) -> Submission:
    return Submission(gold=task["gold"], kind="code", num_choices=0, response=f"```python\n{code}\n```")


@contextlib.contextmanager
def _peer(checkout: str | None) -> Any:
    if checkout is None:
        with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
            yield lambda block: _plain(pool, block)
        return
    command = [sys.executable, "-c", _PEER, str(Path(checkout).resolve())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        assert stdout.readline() == "ready\n"

        def ask(block: list[dict[str, Any]]) -> tuple[float, float, list[bool]]:
            print(json.dumps([{"code": t["code"], "tests": t["tests"]} for t in block]), file=stdin, flush=True)
            reply = json.loads(stdout.readline())
            return reply["seconds"], reply["cpu"], reply["passed"]

        yield ask
        stdin.close()


def _plain(pool: Any, block: list[dict[str, Any]]) -> tuple[float, float, list[bool]]:
    start, before = time.monotonic(), _computed_s()
    passed = pool.map(_passes, [{"code": t["code"], "tests": t["tests"]} for t in block], chunksize=1)
    return time.monotonic() - start, _computed_s() - before, passed


def _passes(task: dict[str, Any]) -> bool:
    """Every test in one forked process."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        with contextlib.suppress(BaseException):
            os.write(writer, b"1" if _passes_here(task) else b"0")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        passed = file.read() == b"1"
    os.waitpid(pid, 0)
    return passed


def _passes_here(task: dict[str, Any]) -> bool:
    tests = task["tests"]
    for text, expected in zip(tests["inputs"], tests["outputs"], strict=True):
        names = preamble() | {"__name__": "tmp_sol" if "fn_name" in tests else "__main__"}
        out = io.StringIO()
        sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            exec(task["code"], names)
        if "fn_name" not in tests:
            if why_output_differs(out.getvalue(), expected):
                return False
            continue
        value = getattr(names["Solution"](), tests["fn_name"])(*map(json.loads, text.split("\n")))
        if why_value_differs(encode(value), expected):
            return False
    return True


if __name__ == "__main__":
    main()
