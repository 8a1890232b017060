"""Programs: extracted from the response and run against their problem's tests in the sandbox."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from orz_bench.environment import package_version
from orz_bench.errors import DataError
from orz_bench.extraction.programs import CODE_EXTRACTORS, code_extractors
from orz_bench.grading.code.judge import CodeJudge
from orz_bench.grading.jobs import Reply
from orz_bench.grading.judges.judge import Pair, Settings, Submission
from orz_bench.grading.memo import Memo
from orz_bench.records.rollout import Problem
from orz_bench.sandbox.limits import Isolation, Limits
from orz_bench.sandbox.pool import Sandbox

_RULES = "2"
"""Version of the rules for programs and of orz_bench.sandbox: raised whenever a verdict could change."""
_MEMORABLE = frozenset({"correct", "wrong", "unparseable"})
"""Verdicts that do not depend on the load of the machine."""


class ProgramJudge:
    """Judges programs. No process starts before the first one."""

    def __init__(self, settings: Settings) -> None:
        self.extractors = code_extractors(settings.extractor)
        self._memo: Memo[Pair] = Memo(_MEMORABLE)
        self._runner = CodeJudge(
            settings.tests,
            num_workers=settings.num_workers,
            limits=Limits(),
            sandbox=Sandbox(allow_weak_isolation=settings.allow_weak_isolation),
        )

    def extract(self, submission: Submission, extractor: str) -> str | None:
        """The program in the response."""
        return CODE_EXTRACTORS[extractor](submission.response)

    def judge(self, pairs: Sequence[Pair], *, extractor: str = "") -> Mapping[Pair, Reply]:
        """Whether each program passes the tests that its gold names. Raises GradingError."""
        return self._memo.replies(pairs, self._runner.judge)

    def without_answer(self, gold: str) -> Reply:
        """The same for every gold."""
        del gold
        return Reply("no_answer", "no code block found")

    def gold_faults(self, problems: Sequence[Problem]) -> list[str | None]:
        """Tests must be readable, and their outputs must equal themselves."""
        return [self._gold_fault(problem.gold) for problem in problems]

    def check_isolation(self) -> Isolation:
        """What the sandbox provides on this machine. Raises ConfigError if it is too weak and that was not allowed."""
        return self._runner.check()

    def close(self) -> None:
        """End all processes."""
        self._runner.close()

    def _gold_fault(self, gold: str) -> str | None:
        try:
            return self._runner.fault_of(gold)
        except DataError as error:
            return str(error)


def program_version() -> str:
    """What decides verdicts on programs: the rules, Python, numpy and the limits."""
    limits = Limits()
    found = package_version("numpy")
    numpy = "no numpy" if found is None else f"numpy {found}"
    return f"code {_RULES} (Python {platform.python_version()}, {numpy}, {limits.cpu_s:g} s, {limits.memory_gib:g} GiB)"
