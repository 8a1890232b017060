"""The GPUs of this machine, as nvidia-smi lists them: driver, memory, and who uses them. Imports no torch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

BUSY_GIB = 1.0
"""Memory in use from which a GPU counts as busy; an idle one has some hundred MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One device."""

    index: int
    uuid: str
    name: str
    driver: str
    total_gib: float
    used_gib: float
    processes: tuple[str, ...] = field(default=())
    """Such as `pid 1234 (python), 43.1 GiB`; processes of other containers are not listed by the driver."""

    @property
    def is_busy(self) -> bool:
        """Whether another job holds it."""
        return bool(self.processes) or self.used_gib > BUSY_GIB

    @property
    def busy_text(self) -> str:
        """Who holds how much."""
        who = "; ".join(self.processes) or "a process that is not listed (another container?)"
        return f"GPU {self.index} ({self.name}): {self.used_gib:.1f} of {self.total_gib:.0f} GiB in use by {who}"


def list_gpus() -> list[Gpu]:
    """The GPUs that this process may use (CUDA_VISIBLE_DEVICES); none without nvidia-smi."""
    devices = _ask("--query-gpu=index,uuid,name,driver_version,memory.total,memory.used")
    processes = _ask("--query-compute-apps=gpu_uuid,pid,process_name,used_memory")
    return visible(parse_gpus(devices, processes), os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(devices: str, processes: str) -> list[Gpu]:
    """From nvidia-smi's CSV, without header and units."""
    users: dict[str, list[str]] = {}
    for uuid, pid, name, used in _cells(processes, columns=4):
        size = f", {int(used) / 1024:.1f} GiB" if used.isdigit() else ""
        users.setdefault(uuid, []).append(f"pid {pid} ({name}){size}")
    return [
        Gpu(
            index=int(index),
            uuid=uuid,
            name=name,
            driver=driver,
            total_gib=int(total) / 1024,
            used_gib=int(used) / 1024,
            processes=tuple(users.get(uuid, ())),
        )
        for index, uuid, name, driver, total, used in _cells(devices, columns=6)
        if index.isdigit() and total.isdigit() and used.isdigit()
    ]


def visible(gpus: Sequence[Gpu], chosen: str | None) -> list[Gpu]:
    """Those that CUDA_VISIBLE_DEVICES names, by index or the beginning of a UUID, in its order; None: all."""
    if chosen is None:
        return list(gpus)
    found: list[Gpu] = []
    for name in (part.strip() for part in chosen.split(",")):
        match = [gpu for gpu in gpus if name and (name == str(gpu.index) or gpu.uuid.startswith(name))]
        if len(match) != 1:
            break  # as CUDA does: what follows an unknown device is not visible
        found += match
    return found


def _cells(text: str, *, columns: int) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    return [row for row in rows if len(row) == columns]


def _ask(query: str) -> str:
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
