"""Compare the installed packages with a lock file: `python requirements/check_lock.py requirements/cpu.txt`.

Prints what is missing or has another version, and exits 1; installs nothing. Other packages are not its business.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

CPU_TORCH_WANTED = (
    "torch {found} is a CUDA build, and the lock wants the CPU build, which PyTorch's own CPU index carries; "
    'run: make setup PIP_ARGS="--extra-index-url ADDRESS_OF_THAT_INDEX"'
)


def faults(lock: Path) -> list[str]:
    """One sentence for every pin of the lock that the environment does not meet."""
    lines = [line.partition("#")[0].strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    pins = [line.split("==") for line in lines if line]
    return [fault for name, wanted in pins if (fault := _fault(name, wanted)) is not None]


def _fault(name: str, wanted: str) -> str | None:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed, wanted {wanted}"
    if found.partition("+")[0] != wanted:
        return f"{name} is {found}, wanted {wanted}"
    # Only on this platform does PyPI's plain wheel differ from the CPU build.
    if name == "torch" and (sys.platform, platform.machine()) == ("linux", "x86_64") and not found.endswith("+cpu"):
        return CPU_TORCH_WANTED.format(found=found)
    return None


def main() -> int:
    """The exit code: 0 where the environment meets every pin."""
    lock = Path(sys.argv[1])
    found = faults(lock)
    for fault in found:
        print(f"{lock}: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
