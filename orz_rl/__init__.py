"""Trains language models by reinforcement learning, with the verdicts of orz_bench's grader as reward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orz_rl.api import Observer, Outcome, TrainConfig, configure, train

__all__ = ["Observer", "Outcome", "TrainConfig", "configure", "train"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orz_rl import api

    return getattr(api, name)
