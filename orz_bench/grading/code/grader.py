"""Grade responses that hold programs: extract, run in the sandbox, and say what failed."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from orz_bench.extraction.programs import CODE_EXTRACTORS, code_extractors
from orz_bench.grading.code.judge import CodeJudge
from orz_bench.grading.jobs import Reply
from orz_bench.grading.memo import Memo
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Grade
from orz_bench.sandbox.limits import Isolation, Limits
from orz_bench.sandbox.pool import Sandbox

_RULES = "2"
"""Of this package and of orz_bench.sandbox: raised whenever a verdict could change."""
_MEMO_ENTRIES = 100_000
_MEMORABLE = ("correct", "wrong", "unparseable")
"""Verdicts that don't depend on how busy the machine is."""


def _code_grader_version() -> str:
    limits = Limits()
    try:
        numpy = f"numpy {version('numpy')}"
    except PackageNotFoundError:
        numpy = "no numpy"
    return f"code {_RULES} (Python {platform.python_version()}, {numpy}, {limits.cpu_s:g} s, {limits.memory_gib:g} GiB)"


CODE_GRADER_VERSION: str = _code_grader_version()


class ProgramGrader:
    """Grades programs from any thread. Nothing is started before the first one."""

    def __init__(
        self,
        tests: Mapping[str, PackedTests],
        *,
        extractor: str,
        num_workers: int | None = None,
        allow_weak_isolation: bool = False,
    ) -> None:
        """`tests` by the digest that is their problems' gold."""
        self._names = code_extractors(extractor)
        self._memo: Memo[tuple[str, str], Reply] = Memo(_MEMO_ENTRIES)
        self._judge = CodeJudge(
            tests,
            num_workers=num_workers,
            limits=Limits(),
            sandbox=Sandbox(allow_weak_isolation=allow_weak_isolation),
        )

    def close(self) -> None:
        """End all processes."""
        self._judge.close()

    def check_isolation(self) -> Isolation:
        """What keeps programs in. Raises ConfigError where that is not enough and was not allowed."""
        return self._judge.check()

    def grade(self, responses: Sequence[tuple[str, str]]) -> list[Grade]:
        """One grade for every (gold, response), in order."""
        found = [tuple(CODE_EXTRACTORS[name](response) for name in self._names) for _, response in responses]
        pairs = [
            (gold, source)
            for (gold, _), sources in zip(responses, found, strict=True)
            for source in sources
            if source is not None
        ]
        replies = self._replies(pairs)
        return [
            self._grade(sources, [_reply(gold, source, replies=replies) for source in sources])
            for (gold, _), sources in zip(responses, found, strict=True)
        ]

    def fault_of(self, gold: str) -> str | None:
        """Why no program could pass; None where one can. Raises DataError for tests that cannot be read."""
        return self._judge.fault_of(gold)

    def _replies(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Reply]:
        replies: dict[tuple[str, str], Reply] = {}
        unknown: list[tuple[str, str]] = []
        for pair in dict.fromkeys(pairs):
            known = self._memo.get(pair)
            if known is None:
                unknown.append(pair)
            else:
                replies[pair] = known
        for pair, reply in zip(unknown, self._judge.judge(unknown), strict=True):
            replies[pair] = reply
            if reply.verdict in _MEMORABLE:
                self._memo.put(pair, reply)
        return replies

    def _grade(self, sources: Sequence[str | None], replies: Sequence[Reply]) -> Grade:
        return Grade(
            verdict=replies[0].verdict,
            why=replies[0].why,
            extracted=sources[0],
            second_extractor=self._names[1],
            second_extracted=sources[1],
            second_verdict=replies[1].verdict,
        )


def _reply(gold: str, source: str | None, *, replies: Mapping[tuple[str, str], Reply]) -> Reply:
    return Reply("no_answer", "no code block found") if source is None else replies[gold, source]
