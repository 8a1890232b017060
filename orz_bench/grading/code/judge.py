"""Decide whether a program passes its tests. It runs in the sandbox; its output is compared here, outside."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor

from orz_bench.errors import GradingError
from orz_bench.grading.code.compare import why_output_differs, why_value_differs
from orz_bench.grading.jobs import Reply
from orz_bench.records.program_tests import PackedTests, ProgramTest, ProgramTests
from orz_bench.records.rollout import Verdict
from orz_bench.sandbox.limits import Ended, Isolation, Limits, Outcome, Program
from orz_bench.sandbox.pool import Sandbox, Session

MAX_SOURCE = 2**20
_UNPACKED = 32
"""Problems whose tests are kept unpacked: the samples of one problem are graded close together."""
_ANY_OUTPUT, _TIMES_EXPECTED = 2**20, 8
"""A test may print this many bytes plus this multiple of the expected output: extra spaces and zeros are allowed."""
_VERDICTS: Mapping[Ended, tuple[Verdict, str]] = {
    "exit_code": ("wrong", "it fails"),
    "signal": ("wrong", "it is ended by a signal"),
    "cpu_time": ("wrong", "it computes too long"),
    "wall_time": ("timeout", "it takes too long"),
    "output": ("wrong", "it prints too much"),
    "threads": ("wrong", "it starts too many threads"),
}


class CodeJudge:
    """Judges programs, several at once, from any thread."""

    def __init__(
        self, tests: Mapping[str, PackedTests], *, num_workers: int | None, limits: Limits, sandbox: Sandbox
    ) -> None:
        self._packed = tests
        self._limits = limits
        self._sandbox = sandbox
        self._threads = ThreadPoolExecutor(
            num_workers if num_workers is not None else len(os.sched_getaffinity(0)), thread_name_prefix="orz-programs"
        )
        self._unpacked: OrderedDict[str, ProgramTests] = OrderedDict()
        self._lock = threading.Lock()

    def check(self) -> Isolation:
        """The isolation of programs. Raises ConfigError if it is too weak."""
        return self._sandbox.check()

    def close(self) -> None:
        """End all processes. Programs in flight fail with GradingError."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sandbox.close()
        self._threads.shutdown(wait=True)

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Reply]:
        """One reply for every (gold, program), in order; equal pairs are run once. Raises GradingError."""
        distinct = list(dict.fromkeys(pairs))
        try:
            replies = dict(zip(distinct, self._threads.map(self._judge, distinct), strict=True))
        except (CancelledError, RuntimeError) as error:
            raise GradingError("the grader was closed while it was running programs; open a new one.") from error
        return [replies[pair] for pair in pairs]

    def fault_of(self, gold: str) -> str | None:
        """Why no program can be graded against this gold, or None."""
        tests = self._tests(gold)
        if not tests.tests:
            return "there are no tests"
        differs = (why_output_differs(test.output, test.output) for test in tests.tests if tests.function is None)
        return next((f"an expected output is not equal to itself: {why}" for why in differs if why), None)

    def _judge(self, pair: tuple[str, str]) -> Reply:
        gold, source = pair
        tests = self._tests(gold)
        if not tests.tests:
            return Reply("error", "the problem has no tests")
        if len(source) > MAX_SOURCE or "\0" in source:
            return Reply("unparseable", f"the program has {len(source):,} characters or a NUL")
        program = Program(source=source, function=tests.function)
        with self._sandbox.session(
            program, limits=self._limits, inputs=[test.input for test in tests.tests]
        ) as session:
            return self._run_all(session, tests)

    def _run_all(self, session: Session, tests: ProgramTests) -> Reply:
        """Each test is run once, and that result counts."""
        num = len(tests.tests)
        ends_at = time.monotonic() + self._limits.program_wall_s
        for number, test in enumerate(tests.tests, start=1):
            outcome = session.run(test.input, output_bytes=_ANY_OUTPUT + _TIMES_EXPECTED * len(test.output))
            reply = _failure(test, outcome, is_function=tests.function is not None)
            if reply is None and time.monotonic() > ends_at:
                reply = Reply("timeout", f"its tests take more than {self._limits.program_wall_s:g} s")
            if reply is not None:
                return Reply(reply.verdict, f"test {number} of {num}: {reply.why}")
        return Reply("correct", f"passes {num} test{'s' if num > 1 else ''}")

    def _tests(self, gold: str) -> ProgramTests:
        with self._lock:
            if gold in self._unpacked:
                self._unpacked.move_to_end(gold)
                return self._unpacked[gold]
        if gold not in self._packed:
            raise GradingError(
                f"the gold {gold!r} names tests that this grader was not given; load the benchmark's data."
            )
        tests = self._packed[gold].unpack()
        with self._lock:
            self._unpacked[gold] = tests
            while len(self._unpacked) > _UNPACKED:
                self._unpacked.popitem(last=False)
        return tests


def _failure(test: ProgramTest, outcome: Outcome, *, is_function: bool) -> Reply | None:
    """The failure of one run, or None."""
    if outcome.ended != "normally":
        verdict, why = _VERDICTS[outcome.ended]
        return Reply(verdict, f"{why} ({outcome.detail})" if outcome.detail else why)
    compare = why_value_differs if is_function else why_output_differs
    why_differs = compare(outcome.output, test.output)
    return None if why_differs is None else Reply("wrong", why_differs)
