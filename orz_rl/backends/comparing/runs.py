"""The runs of a comparison: the same weights, data and seeds by each backend, one after the other, each resumable."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from orz_bench.errors import ConfigError, OrzError
from orz_bench.records.lines import append_row, read_rows
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Backend
from orz_rl.backends.comparing.process_tree import run_measured
from orz_rl.backends.registry import BACKENDS
from orz_rl.backends.start import check
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import as_yaml

_USAGE = "usage.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one process of a backend took; a resumed run has several."""

    backend: str
    exit_code: int
    first_step: int
    """The number of steps that were on disk when it started, and when it had ended."""
    last_step: int
    wall_s: float
    cpu_s: float
    cpu_to_first_row_s: float | None
    """From its start to its first step on disk; None if it wrote none."""
    cpu_of_steps_s: float | None
    """From its first step on disk to its last: with their evaluations and checkpoints."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The backends of a comparison, and where their runs are."""

    out: Path
    names: tuple[str, ...]
    config: TrainConfig
    command: tuple[str, ...]
    """`orz-rl train` with the recipe, its variants and overrides; --backend and --out are added."""

    def run_of(self, name: str) -> RunDir:
        """The run of a backend."""
        return RunDir(self.out / name)

    def usage(self) -> list[Usage]:
        """Of every process that has ended so far."""
        path = self.out / _USAGE
        rows, _ = read_rows(path) if path.exists() else ([], 0)
        return [Usage(**row) for row in rows]

    def train_all(self, *, notice: Callable[[str], None], warn: Callable[[str], None]) -> None:
        """Check every backend, then train by each; a finished run of these settings is not started again.

        Raises ConfigError for a backend that is unknown, missing, cannot express the settings, or fails.
        """
        for name in self.names:
            backend: Backend = BACKENDS.load(name)
            check(backend, self.config, warn=warn)
        self.out.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            if self._is_finished(name):
                notice(f"{name}: finished in {self.out / name}")
            else:
                notice(f"{name}: training in {self.out / name}")
                self._train(name)

    def _is_finished(self, name: str) -> bool:
        run = self.run_of(name)
        if run.state() != "done" or not run.config_path.is_file():
            return False
        with run.config_path.open(encoding="utf-8") as file:
            return bool(yaml.safe_load(file) == yaml.safe_load(as_yaml(self.config)))

    def _train(self, name: str) -> None:
        run = self.run_of(name)
        marks: dict[int, float] = {_num_rows(run): 0.0}

        def look(cpu_s: float) -> None:
            rows = _num_rows(run)
            if rows < max(marks):  # a resumed run has dropped what came after its checkpoint
                marks.clear()
            marks.setdefault(rows, cpu_s)

        command = [*self.command, "--backend", name, "--out", str(run.path)]
        code, cpu_s, wall_s = run_measured(command, environment=os.environ, on_look=look)
        look(cpu_s)
        before, after = min(marks), max(marks)
        steps = [marks[rows] for rows in sorted(marks) if rows > before]
        usage = Usage(
            backend=name,
            exit_code=code,
            first_step=before,
            last_step=after,
            wall_s=wall_s,
            cpu_s=cpu_s,
            cpu_to_first_row_s=steps[0] if steps else None,
            cpu_of_steps_s=steps[-1] - steps[0] if len(steps) > 1 else None,
        )
        append_row(self.out / _USAGE, asdict(usage))
        if code:
            raise _failed(run, code, backend=name)


def contest(recipe: str, *, names: Sequence[str], config: TrainConfig, arguments: Sequence[str], out: Path) -> Contest:
    """A comparison of these backends; ConfigError if it has less than two, or one twice."""
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"--backends {','.join(names)}: wanted at least two different backends; see orz-rl backends.")
    command = (sys.executable, "-m", "orz_rl.cli", "train", "--recipe", recipe, *arguments)
    return Contest(out, tuple(names), config, command)


def _num_rows(run: RunDir) -> int:
    path = run.metrics_path
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _failed(run: RunDir, code: int, *, backend: str) -> OrzError:
    failed = run.path / "FAILED"
    reason = failed.read_text(encoding="utf-8").strip() if failed.exists() else "its messages are above"
    return ConfigError(
        f"the backend {backend} ended with exit code {code} ({reason}). Run the same command to resume all backends."
    )
