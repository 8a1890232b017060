"""Code of other people that a run uses (reward, advantages, loss): its identity, by which a resumed run is checked."""

from __future__ import annotations

from collections.abc import Mapping

from orz_bench.records.rollout import Problem
from orz_rl.config import TrainConfig
from orz_rl.ppo.parts import ADVANTAGES, OBJECTIVES
from orz_rl.rollout.reward_host import digest_of
from orz_rl.rollout.reward_process import checked_identity


def parts_of(config: TrainConfig, *, problem: Problem) -> dict[str, Mapping[str, str]]:
    """Setting -> identity of what it names, where that is not ours. ConfigError for what cannot be used.

    The reward function is imported and called on a right and on a missing answer to the problem.
    """
    parts: dict[str, Mapping[str, str]] = {}
    reward = checked_identity(config.reward.function, deadline_s=config.reward.deadline_s, problem=problem)
    if reward is not None:
        parts["reward.function"] = reward
    for setting, group, name in (
        ("advantage.estimator", ADVANTAGES, config.advantage.estimator),
        ("loss.objective", OBJECTIVES, config.loss.objective),
    ):
        if name not in group.built_in:
            reference, package = group.reference_of(name)
            compute = group.load(name).compute
            parts[setting] = {"function": reference, "sha256": digest_of(compute, reference), "package": package}
    return parts
