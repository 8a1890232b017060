"""LiveCodeBench (Jain et al. 2024, 2403.07974), code generation: programs, graded by hidden tests.

`livecodebench` is release_v5 from 2024-08-01 to 2025-02-01, as the R1 family reports it: 279 problems. Behind a colon
stand a release, a window (either end may be open), and `without-known-bad`, in any order:
`livecodebench:release_v6:2025-01-01..2025-05-01:without-known-bad`. A release without a window is the whole of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import PublicDates
from orz_bench.benchmarks.rows import first_text
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import Problem

NAME = "livecodebench"
_RELEASES = {
    "release_v1": 400,
    "release_v2": 511,
    "release_v3": 612,
    "release_v4": 713,
    "release_v5": 880,
    "release_v6": 1055,
}
_DEFAULT_RELEASE = "release_v5"
_FIRST_DAY = date(2023, 5, 1)
_LAST_DAYS = {
    "release_v1": date(2024, 3, 31),
    "release_v2": date(2024, 5, 31),
    "release_v3": date(2024, 7, 31),
    "release_v4": date(2024, 9, 30),
    "release_v5": date(2025, 1, 31),
    "release_v6": date(2025, 4, 30),
}
"""The ends of the months that LiveCodeBench's README names at 28fef95."""
_WINDOW = re.compile(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?")
_WITHOUT_KNOWN_BAD = "without-known-bad"

_ERRATA = "LiveCodeBench's ERRATA.md at 28fef95"
_SEVERAL, _INTERACTIVE, _TESTS = "several outputs are right", "interactive", "wrong or impossible tests"
KNOWN_BAD: Mapping[str, str] = {
    **dict.fromkeys(
        [
            "abc311_c",
            "abc326_d",
            "abc327_b",
            "abc333_e",
            "abc343_a",
            "abc343_e",
            "abc362_c",
            "arc185_c",
            "find-words-containing-character",
            "find-the-peaks",
            "generate-binary-strings-without-adjacent-zeros",
        ],
        f"{_SEVERAL} ({_ERRATA})",
    ),
    **dict.fromkeys(("abc337_e", "abc355_e"), f"{_INTERACTIVE} ({_ERRATA})"),
    **dict.fromkeys(
        ("abc350_c", "apply-operations-to-make-string-empty", "most-frequent-ids", "arc189_a"), f"{_TESTS} ({_ERRATA})"
    ),
}
"""By id, or by title at LeetCode: problems that a right program may fail, and who says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """Which problems."""

    release: str = _DEFAULT_RELEASE
    first: date = date.min
    last: date = date.max
    without_known_bad: bool = False

    @property
    def name(self) -> str:
        """As in --bench, in one spelling."""
        if self == _DEFAULT:
            return NAME
        is_whole = (self.first, self.last) == (date.min, date.max)
        window = "" if is_whole else f"{_day(self.first)}..{_day(self.last)}"
        parts = (NAME, self.release, window, _WITHOUT_KNOWN_BAD if self.without_known_bad else "")
        return ":".join(filter(None, parts))

    @property
    def dates(self) -> PublicDates:
        """The days of its contests: every question has its own."""
        return PublicDates(
            first=max(self.first, _FIRST_DAY),
            last=min(self.last, _LAST_DAYS[self.release]),
            source="contest_date of each question",
            by_question=True,
        )

    def keeps(self, problem: Problem) -> bool:
        """Whether it is one of them."""
        day = date.fromisoformat(problem.extra["date"])
        return self.first <= day <= self.last and not (self.without_known_bad and problem.extra.get("known_bad"))


_DEFAULT = _Selection(first=date(2024, 8, 1), last=date(2025, 2, 1))

_NUM_PROBLEMS = {_DEFAULT.name: 279} | {_Selection(release=name).name: count for name, count in _RELEASES.items()}
"""Of the selections whose size is published."""


def parse_row(row: Mapping[str, Any], _position: int, *, benchmark: str) -> Problem:
    """A row of the hub's release, or of a file of the same fields with its tests as lists."""
    problem_id = first_text(row, ("question_id", "id"))
    title = str(row.get("question_title", ""))
    day = _date_of(row)
    reason = KNOWN_BAD.get(problem_id) or KNOWN_BAD.get(title)
    extra = {
        "title": title,
        "platform": row.get("platform"),
        "difficulty": row.get("difficulty"),
        "date": day.isoformat(),
        "month": f"{day:%Y-%m}",
        "starter_code": row.get("starter_code"),
        "known_bad": reason,
        "tests": "few" if "public_tests_verified" in row else None,
    }
    return Problem(
        benchmark=benchmark,
        problem_id=problem_id,
        question=first_text(row, ("question_content",)),
        gold=parse_tests(row).digest,
        kind="code",
        extra={key: value for key, value in extra.items() if value},
    )


def parse_tests(row: Mapping[str, Any]) -> PackedTests:
    """The tests of a row, still packed. Raises DataError if there are none."""
    public, private = (_as_json(row, key) for key in ("public_test_cases", "private_test_cases"))
    metadata = row.get("metadata") or {}
    try:
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
    except ValueError as error:
        raise DataError(f"its metadata are no JSON ({error})") from error
    function = metadata.get("func_name") if isinstance(metadata, dict) else None
    return PackedTests(public=public, private=private, function=function)


def with_options(options: str) -> Benchmark:
    """The benchmark that these options mean. Raises ConfigError for an unknown one."""
    found: dict[str, Any] = {}
    for option in filter(None, options.split(":")):
        if option in _RELEASES:
            found["release"] = option
        elif option == _WITHOUT_KNOWN_BAD:
            found["without_known_bad"] = True
        elif match := _WINDOW.fullmatch(option):
            found |= {key: _date(text) for key, text in zip(("first", "last"), match.groups(), strict=True) if text}
        else:
            raise ConfigError(
                f"--bench {NAME}:{option}: wanted a release ({', '.join(_RELEASES)}), a window such as "
                f"2024-08-01..2025-02-01, or {_WITHOUT_KNOWN_BAD}; several are joined by colons."
            )
    if found == {"without_known_bad": True}:
        found |= {"first": _DEFAULT.first, "last": _DEFAULT.last}
    return _benchmark(_Selection(**found))


def _benchmark(selection: _Selection) -> Benchmark:
    release = selection.release
    number = int(release.removeprefix("release_v"))
    short = release.removeprefix("release_")
    return Benchmark(
        name=selection.name,
        title=f"LiveCodeBench {release}",
        aliases=("lcb",) if selection == _DEFAULT else (),
        kind="code",
        num_problems=_NUM_PROBLEMS.get(selection.name),
        num_rows=_RELEASES[release],
        dates=selection.dates,
        local_names=(f"livecodebench_{short}_{_RELEASES[release]}", f"livecodebench_{short}"),
        hub=HubDataset(
            repo="livecodebench/code_generation_lite",
            revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
            files=("test.jsonl", *(f"test{part}.jsonl" for part in range(2, number + 1))),
        ),
        licence="CC (the dataset names no version); statements are LeetCode's, AtCoder's and Codeforces'",
        default_protocol="lcb",
        parse_row=partial(parse_row, benchmark=selection.name),
        parse_tests=parse_tests,
        keep=selection.keeps,
        notes=_notes,
        breakdowns=("difficulty", "month"),
        with_options=with_options,
        cache_name=f"livecodebench_{short}",
    )


def _notes(problems: Sequence[Problem]) -> list[str]:
    few = sum(problem.extra.get("tests") == "few" for problem in problems)
    bad = [problem.problem_id for problem in problems if problem.extra.get("known_bad")]
    notes = [
        f"scores are too high: only the public tests and little more of {few:,} of {counted(len(problems), 'problem')}"
    ]
    known = f"{counted(len(bad), 'known bad problem', verb=('is', 'are'))} among them ({', '.join(bad)}: {_ERRATA}); "
    known += f"`{_WITHOUT_KNOWN_BAD}` leaves out what is known to be bad"
    return [note for note, holds in ((notes[0], few), (known, bad)) if holds]


def _as_json(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list):
        return json.dumps(value)
    raise DataError(f"found no tests under {key!r} (keys: {', '.join(map(str, row)) or 'none'})")


def _date_of(row: Mapping[str, Any]) -> date:
    try:
        return _date(first_text(row, ("contest_date",)))
    except ConfigError as error:
        raise DataError(f"contest_date: {error}") from error


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a date; wanted one such as 2024-08-01.") from error


def _day(day: date) -> str:
    return "" if day in (date.min, date.max) else day.isoformat()


BENCHMARK = _benchmark(_DEFAULT)
