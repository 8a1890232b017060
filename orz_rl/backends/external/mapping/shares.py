"""How a step is divided: GPUs over nodes, prompts over optimizer steps, for trainers that count both their own way."""

from __future__ import annotations

from math import log

from orz_rl.config import TrainConfig

_GPUS_PER_NODE = 8


def num_gpus(config: TrainConfig) -> int:
    """GPUs of a run in which all models and engines share them.

    Where they have GPUs of their own, as many of all of these as the rollouts of a step and the engines divide over.
    """
    cluster, rollout = config.cluster, config.rollout
    engines = rollout.num_engines * rollout.tensor_parallel
    if cluster.colocate:
        return max(cluster.policy_ranks, engines)
    most = cluster.policy_ranks + (cluster.critic_ranks if config.has_critic else 0) + engines
    fitting = (number for number in range(most, 0, -1) if config.num_rollouts % number == 0)
    return next((number for number in fitting if number % rollout.tensor_parallel == 0), most)


def nodes(gpus: int) -> tuple[int, int]:
    """(nodes, GPUs per node): as many per node as divide, at most 8."""
    per_node = next(number for number in range(min(gpus, _GPUS_PER_NODE), 0, -1) if gpus % number == 0)
    return gpus // per_node, per_node


def prompts_per_update(config: TrainConfig, updates: int, *, ranks: int) -> int | None:
    """Prompts of one optimizer step where a step is divided into equal mini-batches of whole prompts.

    The size that divides a step, and whose rollouts divide over the ranks, with the number of steps that is nearest to
    `updates` in ratio. None if there is no such size.
    """
    problems, samples = config.rollout.num_problems, config.rollout.num_samples
    sizes = [size for size in range(1, problems + 1) if problems % size == 0 and size * samples % ranks == 0]
    return min(sizes, key=lambda size: (abs(log(problems / size / updates)), -size), default=None)


def num_updates(config: TrainConfig, updates: int, *, ranks: int) -> int:
    """The number of optimizer steps that prompts_per_update() gives."""
    return config.rollout.num_problems // (prompts_per_update(config, updates, ranks=ranks) or 1)


def generations(warmup_updates: int, updates: int) -> int:
    """A warm-up counted in optimizer steps, in steps of `updates` optimizer steps each."""
    return max(1, round(warmup_updates / updates)) if warmup_updates else 0
