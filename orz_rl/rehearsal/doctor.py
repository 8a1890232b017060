"""Runs the checks group by group, each group in a process of its own: one that dies is rows that failed, not an end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from orz_bench.environment import has_gpu, set_library_defaults
from orz_bench.errors import ConfigError
from orz_rl.rehearsal.gpus import Gpu, list_gpus
from orz_rl.rehearsal.rows import Device, Row, append_row, read_rows

_LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that share a process: a module of this room with checks(device, folder)."""

    what: str
    is_quick: bool
    """Whether --quick runs it."""


GROUPS: Mapping[str, Group] = MappingProxyType(
    {
        "machine": Group("the machine", is_quick=True),
        "models": Group("the models", is_quick=True),
        "sampler": Group("the engine", is_quick=True),
        "weights": Group("the way of the weights", is_quick=False),
        "runs": Group("whole runs", is_quick=False),
    }
)


def device_here() -> Device:
    """What the rows are tried on."""
    return "cuda" if has_gpu() else "cpu"


def require_free(gpus: list[Gpu]) -> None:
    """Raise ConfigError at once if another job holds a GPU: its memory would fail rows that are sound."""
    busy = [gpu for gpu in gpus if gpu.is_busy]
    if not busy:
        return
    free = ",".join(str(gpu.index) for gpu in gpus if not gpu.is_busy)
    instead = f", or use the free ones with CUDA_VISIBLE_DEVICES={free}" if free else ""
    lines = "\n".join(f"  {gpu.busy_text}" for gpu in busy)
    raise ConfigError(f"another job holds GPUs:\n{lines}\nWait for it, or end it{instead}; then run doctor again.")


def examine(*, quick: bool, notice: Callable[[str], None]) -> Iterator[Row]:
    """All rows, in order. Raises ConfigError at once if another job holds the GPUs."""
    device = device_here()
    if device == "cuda":
        require_free(list_gpus())
    with tempfile.TemporaryDirectory(prefix="orz-doctor-") as folder:
        for name, group in GROUPS.items():
            if group.is_quick or not quick:
                notice(f"trying {group.what}")
                yield from _rows_of(name, device, folder=Path(folder))


def _rows_of(name: str, device: Device, *, folder: Path, python: str = sys.executable) -> Iterator[Row]:
    file = folder / f"{name}.jsonl"
    command = [python, "-m", "orz_rl.rehearsal.doctor", name, device, str(folder)]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        try:
            code: int | None = subprocess.run(
                command, stdout=output, stderr=output, timeout=_LIMIT_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    yield from read_rows(file)
    if code != 0:
        ending = f"did not end within {_LIMIT_S} s" if code is None else f"ended with code {code}"
        last = " | ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:])
        yield Row(
            name=GROUPS[name].what,
            verdict="failed",
            found=f"the process that tries them {ending}: {last[-500:]}",
            remedy="the last words above name the library; try another version of it",
        )


def run_group(name: str, device: Device, *, folder: Path) -> None:
    """In the group's own process: try each check and write its row."""
    set_library_defaults()
    module = import_module(f"orz_rl.rehearsal.{name}")
    for check in module.checks(device, folder):
        append_row(folder / f"{name}.jsonl", check.row())


if __name__ == "__main__":
    run_group(sys.argv[1], "cuda" if sys.argv[2] == "cuda" else "cpu", folder=Path(sys.argv[3]))
