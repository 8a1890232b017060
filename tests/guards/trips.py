"""How far a value travels through the code: `python -m tests.guards.trips`.

A trip is the list of functions of our packages in the order in which they first receive the value (as an argument, in
a sequence, or as a field of one). Consecutive functions of one file are one stay; a stay in a file where the value
was before is a return. Four commands are run for real, on the embedded tiny model.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.guards.tree import PACKAGES, PROJECT

Carries = Callable[[Any], bool]
_DEPTH = 2
_WIDTH = 4
"""Items of a sequence that are looked at."""


def main() -> None:
    """Print one line a trip: files, stays, returns."""
    tiny = PROJECT / "orz_rl" / "assets" / "tiny"
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "runs" / "run"
        evaluate = [
            *("orz-bench", "eval", "--ckpt", str(tiny), "--engine", "transformers", "--dtype", "float32"),
            *("--bench", "arithmetic", "--limit", "2", "--n", "2", "--max-tokens", "8", "--out", str(run)),
        ]
        trips = {"a checkpoint path in orz-bench eval": _follow(_program(evaluate), _is_path(tiny))}
        again = [*evaluate[:-1], str(Path(folder) / "runs" / "again")]
        trips["a completion from the sampler to Parquet"] = _follow(_program(again), _is_a("Completion", "Rollout"))
        report = ["orz-analysis", "report", str(run), "--out", str(Path(folder) / "report")]
        trips["a run directory in orz-analysis report"] = _follow(_program(report), _is_path(run))
        trips["a filter in the app"] = _follow(lambda: _page(run), _is_a("Filters"))
    for name, trip in trips.items():
        stays = [file for file, _ in groupby(trip)]
        num_files = len(set(stays))
        print(f"{name:42} {num_files:3} files {len(stays):3} stays {len(stays) - num_files:3} returns")
        if "-v" in sys.argv:
            print("   " + "\n   ".join(stays))


def _is_path(path: Path) -> Carries:
    """The path itself, as text or as a path."""
    return lambda value: isinstance(value, str | Path) and str(value) == str(path)


def _is_a(*names: str) -> Carries:
    """An object of one of these classes of ours."""
    return lambda value: type(value).__name__ in names and type(value).__module__.partition(".")[0] in PACKAGES


def _has(value: Any, carries: Carries, *, depth: int = _DEPTH) -> bool:
    if carries(value):
        return True
    if depth == 0:
        return False
    if isinstance(value, list | tuple):
        return any(_has(item, carries, depth=depth - 1) for item in value[:_WIDTH])
    if is_dataclass(value) and not isinstance(value, type):
        held = (getattr(value, field.name, None) for field in fields(value))
        return any(_has(item, carries, depth=depth - 1) for item in held)
    return type(value).__name__ == "RunDir" and carries(value.path)


def _follow(action: Callable[[], None], carries: Carries) -> list[str]:
    """The file of each function that receives the value, in the order of its first time."""
    seen: dict[Any, str] = {}

    def watch(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or code in seen or code.co_name.startswith("<"):
            return
        try:
            file = Path(code.co_filename).relative_to(PROJECT)
        except ValueError:
            return
        if file.parts[0] not in PACKAGES:
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(_has(frame.f_locals.get(name), carries) for name in names):
            seen[code] = str(file)

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(seen.values())


def _program(arguments: list[str]) -> Callable[[], None]:
    def action() -> None:
        from analysis.cli import main as analysis
        from orz_bench.cli import main as bench

        before, sys.argv = sys.argv, arguments
        errors = io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                {"orz-bench": bench, "orz-analysis": analysis}[arguments[0]]()
        except SystemExit as end:
            if end.code:
                raise RuntimeError(errors.getvalue()) from end
        finally:
            sys.argv = before

    return action


def _page(run: Path) -> None:
    from streamlit.testing.v1 import AppTest

    test = AppTest.from_function(_rollouts_page, args=(str(run.parent),), default_timeout=60)
    test.query_params["run"] = run.name
    test.query_params["verdict"] = "no_answer"
    test.run()
    if test.exception:
        raise RuntimeError(str(test.exception))


def _rollouts_page(folder: str) -> None:
    from pathlib import Path

    from app.runs.folder import RunsFolder
    from app.screens.rollouts import render
    from app.views.context import Context
    from app.views.run_choice import choose

    runs = RunsFolder.at(Path(folder))
    context = choose(Context(folder=runs, entries=tuple(runs.runs())), wants="one")
    assert context is not None
    render(context)


if __name__ == "__main__":
    main()
