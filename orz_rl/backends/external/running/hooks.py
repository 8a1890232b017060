"""Copies the files that another trainer imports into the run: it needs nothing of this project but these."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orz_bench.records.run_dir import write_text
from orz_rl.backends.external.mapping.table import Target

_CLIENT = Path(__file__).parents[1] / "scoring" / "client.py"


def copy_hooks(target: Target, files: Mapping[str, Path]) -> Path:
    """Copy these files under their new names, and the client as orz_client.py; returns their folder."""
    folder = target.folder / "code"
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in {"orz_client.py": _CLIENT, **files}.items():
        write_text(folder / name, source.read_text(encoding="utf-8"))
    return folder
