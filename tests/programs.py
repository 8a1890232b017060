"""The corpora of programs, and a judge of them with limits that suit tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from orz_bench.grading.code.judge import CodeJudge
from orz_bench.grading.code.packed_tests import PackedTests
from orz_bench.sandbox.limits import Limits
from orz_bench.sandbox.pool import Sandbox

CORPORA = Path(__file__).parent / "corpora"
PATIENT = Limits(cpu_s=10, wall_s=60)
IMPATIENT = Limits(cpu_s=0.5, wall_s=1.0, memory_gib=1.0, output_bytes=2**20)


def corpus(name: str, *, places: Mapping[str, str] | None = None) -> dict[str, str]:
    """The programs of a corpus by their titles, placeholders filled in."""
    text = (CORPORA / f"{name}.txt").read_text("utf-8")
    for placeholder, value in (places or {}).items():
        text = text.replace(f"@{placeholder}@", value)
    _, *parts = text.split("\n=== ")
    return {title: source for title, _, source in (part.partition("\n") for part in parts)}


def packed(*tests: tuple[str, str], function: str | None = None) -> PackedTests:
    """Tests as (input, output)."""
    rows = [{"input": given, "output": wanted, "testtype": "stdin"} for given, wanted in tests]
    return PackedTests(public=json.dumps(rows), private="[]", function=function)


@contextmanager
def a_judge(
    tests: Iterable[PackedTests], *, limits: Limits = PATIENT, namespaces: bool = True, num_workers: int = 2
) -> Iterator[CodeJudge]:
    """A judge that knows these tests."""
    sandbox = Sandbox(namespaces=namespaces)
    golds = {item.digest: item for item in tests}
    with closing(CodeJudge(golds, num_workers=num_workers, limits=limits, sandbox=sandbox)) as judge:
        yield judge
