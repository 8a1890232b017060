"""Code of other people that a run uses (reward, advantages, loss): its identity, by which a resumed run is checked."""

from __future__ import annotations

from collections.abc import Mapping

from orz_bench.records.rollout import Problem
from orz_rl.config import TrainConfig
from orz_rl.rollout.reward_process import checked_identity


def parts_of(config: TrainConfig, *, problem: Problem) -> dict[str, Mapping[str, str]]:
    """Setting -> identity of what it names, where that is not ours. ConfigError for what cannot be used.

    The reward function is imported and called on a right and on a missing answer to the problem.
    """
    parts: dict[str, Mapping[str, str]] = {}
    reward = checked_identity(config.reward.function, deadline_s=config.reward.deadline_s, problem=problem)
    if reward is not None:
        parts["reward.function"] = reward
    return parts
