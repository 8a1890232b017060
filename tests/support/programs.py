"""The corpora of programs, and a judge of them with limits that suit tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from orz_bench.grading.code.judge import CodeJudge
from orz_bench.grading.jobs import Reply
from orz_bench.records.program_tests import PackedTests
from orz_bench.sandbox.limits import Limits
from orz_bench.sandbox.pool import Sandbox

PROJECT = Path(__file__).parents[2]
CORPORA = Path(__file__).parents[1] / "corpora"
NOBODY = 65534
PATIENT = Limits(cpu_s=10, wall_s=60)
IMPATIENT = Limits(cpu_s=0.5, wall_s=1.0, memory_gib=1.0, output_bytes=2**20)


def python_for_everyone() -> str:
    """A Python whose library anyone may read; skips the calling test where there is none.

    Without namespaces programs see the machine's own files, as nobody where the tests run as root.
    """
    if os.getuid() != 0 or not is_in_a_private_folder(Path(sys.base_prefix)):
        return sys.executable
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [Path(folder) / name for folder in ("/usr/bin", "/usr/local/bin") if (Path(folder) / name).exists()]
    if not found:
        pytest.skip(f"this Python lies where only root can read it, and there is no other {name}")
    return str(found[0])


def is_in_a_private_folder(path: Path) -> bool:
    """Whether others than the owner cannot get there."""
    return any(not folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def corpus(name: str, *, places: Mapping[str, str] | None = None) -> dict[str, str]:
    """The programs of a corpus by their titles, placeholders filled in."""
    text = filled((CORPORA / f"{name}.txt").read_text("utf-8"), places or {})
    _, *parts = text.split("\n=== ")
    return {title: source for title, _, source in (part.partition("\n") for part in parts)}


def filled(text: str, places: Mapping[str, str]) -> str:
    """The text with its placeholders replaced."""
    for placeholder, value in places.items():
        text = text.replace(f"@{placeholder}@", value)
    return text


def packed(*tests: tuple[str, str], function: str | None = None) -> PackedTests:
    """Tests as (input, output)."""
    rows = [{"input": given, "output": wanted, "testtype": "stdin"} for given, wanted in tests]
    return PackedTests(public=json.dumps(rows), private="[]", function=function)


@contextmanager
def a_judge(
    tests: Iterable[PackedTests], *, limits: Limits = PATIENT, namespaces: bool = True, num_workers: int = 2
) -> Iterator[CodeJudge]:
    """A judge that knows these tests."""
    sandbox = Sandbox(namespaces=namespaces, python=sys.executable if namespaces else python_for_everyone())
    golds = {item.digest: item for item in tests}
    with closing(CodeJudge(golds, num_workers=num_workers, limits=limits, sandbox=sandbox)) as judge:
        yield judge


@dataclass(frozen=True, slots=True)
class Setting:
    """Who grades, and on what kind of machine."""

    name: str
    is_root: bool
    namespaces: bool

    def judge(self, tests: Sequence[PackedTests], pairs: Sequence[tuple[str, str]], *, limits: Limits) -> list[Reply]:
        """The replies; skips the calling test, with the reason, where this machine has no such setting."""
        if self.is_root and os.getuid() != 0:
            pytest.skip(f"{self.name}: the tests do not run as root")
        if self.is_root:
            with a_judge(tests, limits=limits, namespaces=self.namespaces) as judge:
                found = judge.check()
                self._require_namespaces(found=found.namespaces, why=found.why_no_namespaces)
                return judge.judge(pairs)
        return self._judge_as_nobody(tests, pairs, limits=limits)

    def _judge_as_nobody(
        self, tests: Sequence[PackedTests], pairs: Sequence[tuple[str, str]], *, limits: Limits
    ) -> list[Reply]:
        if os.getuid() == 0 and is_in_a_private_folder(PROJECT):
            pytest.skip(f"{self.name}: this project lies where only root can read it")
        request = {
            "tests": [asdict(item) for item in tests],
            "pairs": pairs,
            "limits": asdict(limits),
            "namespaces": self.namespaces,
            "num_workers": 2,
        }
        other = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(  # type: ignore[call-overload]  # who it is, only where that can be chosen
            [python_for_everyone(), "-s", "-m", "tests.support.judge_programs"],
            input=json.dumps(request),
            env={"PYTHONPATH": str(PROJECT), "ORZ_TEST_SECRET": os.environ.get("ORZ_TEST_SECRET", "")},
            cwd=PROJECT,
            text=True,
            capture_output=True,
            check=False,
            timeout=1000,
            **other,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        self._require_namespaces(found=answer["namespaces"], why=answer["why"])
        return [Reply(verdict, why) for verdict, why in answer["replies"]]

    def _require_namespaces(self, *, found: bool, why: str) -> None:
        if self.namespaces and not found:
            pytest.skip(f"{self.name}: this machine has none ({why})")


SETTINGS = (
    Setting("root with namespaces", is_root=True, namespaces=True),
    Setting("nobody with user namespaces", is_root=False, namespaces=True),
    Setting("nobody without namespaces", is_root=False, namespaces=False),
)
