"""Resolves a model's name in a configuration to a folder with a complete checkpoint."""

from __future__ import annotations

from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.checkpoint import find_checkpoints
from orz_rl.settings.names import reworded

TINY = Path(__file__).parent / "tiny"


def resolve_model(name: str, *, setting: str = "model.policy") -> str:
    """`tiny` is the embedded model; a folder is checked; a hub id is downloaded. ConfigError names the setting.

    A training run has several checkpoints, so one of them has to be given.
    """
    if name == "tiny":
        return str(TINY)
    try:
        checkpoints = find_checkpoints(name, engine="transformers", step=None)
    except ConfigError as error:
        error.args = (reworded(str(error), policy=setting),)
        raise
    if len(checkpoints) > 1:
        steps = ", ".join(str(checkpoint.model.step) for checkpoint in checkpoints)
        raise ConfigError(
            f"{setting}={name}: a training run with checkpoints of steps {steps}; give one of them, such as "
            f"{checkpoints[-1].path}."
        )
    return checkpoints[0].path
