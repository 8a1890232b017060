"""Commands in one process without some libraries; `python -m tests.support.without_libraries` runs them.

stdin: {"hidden": [module...], "commands": [[program, argument...]...]}; stdout: a list of [exit code, stderr], a bug's
exit code being null and its stderr the traceback.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT = Path(__file__).parents[2]
PROGRAMS = {"orz-bench": "orz_bench.cli", "orz-rl": "orz_rl.cli", "orz-analysis": "analysis.cli", "app": "app.main"}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    command: str
    code: int | None
    stderr: str


def without(hidden: Iterable[str], commands: Iterable[Sequence[str | Path]], *, folder: Path) -> list[Ended]:
    """Run them in turn, in this folder, where these top-level modules cannot be found."""
    wanted = [[str(word) for word in command] for command in commands]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.without_libraries"],
        input=json.dumps({"hidden": sorted(hidden), "commands": wanted}),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "COLUMNS": "200"},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout.splitlines()[-1])
    return [Ended(" ".join(words), *end) for words, end in zip(wanted, ends, strict=True)]


class _Hiding:
    """A finder that does not know the hidden modules."""

    def __init__(self, finder: Any, hidden: frozenset[str]) -> None:
        self._finder, self._hidden = finder, hidden

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in self._hidden:
            return None
        found: ModuleSpec | None = self._finder.find_spec(name, path, target)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def _ended(program: str, arguments: list[str]) -> tuple[int | None, str]:
    sys.argv = [program, *arguments]
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
            importlib.import_module(PROGRAMS[program]).main()
    except SystemExit as end:
        return (end.code if isinstance(end.code, int) else 0), stderr.getvalue()
    except Exception:
        return None, traceback.format_exc()
    return 0, stderr.getvalue()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.meta_path[:] = [_Hiding(finder, frozenset(asked["hidden"])) for finder in sys.meta_path]
    print(json.dumps([_ended(program, arguments) for program, *arguments in asked["commands"]]))
