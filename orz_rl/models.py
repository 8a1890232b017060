"""From a model's name in a configuration to a folder with a whole checkpoint."""

from __future__ import annotations

from pathlib import Path

from orz_bench.checkpoint import find_checkpoints

TINY = Path(__file__).parent / "assets" / "tiny"


def resolve_model(name: str) -> str:
    """`tiny` is the embedded model; a folder is checked; a hub id is downloaded. Raises ConfigError."""
    if name == "tiny":
        return str(TINY)
    (checkpoint,) = find_checkpoints(name, engine="transformers", step=None)
    return checkpoint.path
