"""Test-time scaling of one evaluation, computed in a separate process, so that no page waits for it.

`python -m app.runs.scaling RUN BENCHMARK STEP FINGERPRINT CRITIC FILE` writes what `orz-bench scale --json` says of it,
or the reason why there is nothing. The file's name contains the state of all parts that it was computed from.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.runs.evaluations import Evaluated
from orz_bench.errors import OrzError
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import EvaluationDir, RunDir, to_json, write_text
from orz_bench.records.values import assessed_folder, values_beside
from orz_bench.results.scaling.report import ScaledEvaluation
from orz_bench.results.scaling.stored import stored_evaluation

VERSION = 1
"""Part of the file's path: increased whenever an estimate changes."""
_NICENESS = 10
_started: dict[Path, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingFile:
    """Where the scaling of an evaluation is, or will be."""

    of: Evaluated
    critic: str
    """The digest of the critic whose values are used; empty for none, or the only one."""
    side: Path
    """The app's folder beside the runs."""

    @property
    def folder(self) -> EvaluationDir:
        """The evaluation's."""
        result = self.of.result
        return RunDir(self.of.path).evaluation(
            benchmark=result.benchmark, step=result.step, fingerprint=result.fingerprint
        )

    @property
    def path(self) -> Path:
        """Another one for other parts or values."""
        files = [*part_files(self.folder.path), self.folder.summary_path, *_value_parts(self.folder, self.critic)]
        state = json.dumps([self.of.name, self.of.result.benchmark, self.critic, [_stamp(file) for file in files]])
        return self.side / f"scaling-v{VERSION}" / f"{hashlib.sha256(state.encode()).hexdigest()[:24]}.json"

    def critics(self) -> list[str]:
        """The digests of the critics that have assessed it."""
        try:
            return [found.path.name for found in values_beside(assessed_folder(self.folder))]
        except OrzError:
            return []


def scaling_in(path: Path) -> dict[str, Any] | None:
    """What is written there: {"scaling": ...} or {"error": ...}; None if nothing is, or not yet."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.keys() & {"scaling", "error"} else None


def start_scaling(file: ScalingFile, path: Path) -> bool:
    """Start computing, unless this server has started it already; False if that ended without a result."""
    if path in _started:
        return _started[path].poll() is None or path.exists()
    result = file.of.result
    facts = (file.of.path, result.benchmark, result.step, result.fingerprint, file.critic, path)
    root = Path(__file__).parents[2]
    _started[path] = subprocess.Popen(
        [sys.executable, "-m", "app.runs.scaling", *map(str, facts)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))},
    )
    return True


def compute(folder: EvaluationDir, *, critic: str) -> dict[str, Any]:
    """{"scaling": what orz-bench scale says}, or {"error": why there is nothing}."""
    try:
        result = folder.result()
        if result is None:
            return {"error": f"{folder.path}: has no summary; finish the evaluation."}
        stored = stored_evaluation(folder, result, critic=critic or None)
        return {"scaling": ScaledEvaluation.of(stored).to_json()}
    except OrzError as error:
        return {"error": str(error)}


def main(arguments: Sequence[str]) -> None:
    """Entry point of the process."""
    os.nice(_NICENESS)
    run, benchmark, step, fingerprint, critic, path = arguments
    folder = RunDir(Path(run)).evaluation(benchmark=benchmark, step=int(step), fingerprint=fingerprint)
    found = compute(folder, critic=critic)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(Path(path), to_json(found))


def _value_parts(folder: EvaluationDir, critic: str) -> list[Path]:
    try:
        found = values_beside(assessed_folder(folder))
    except OrzError:
        return []
    return [path for values in found if critic in ("", values.path.name) for path in values.paths()]


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (path.name, 0, 0)
    return (path.name, status.st_size, status.st_mtime_ns)


if __name__ == "__main__":
    main(sys.argv[1:])
