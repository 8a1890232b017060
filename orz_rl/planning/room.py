"""Whether a configuration can fit this machine's memory at all, before anything starts."""

from __future__ import annotations

import os

from orz_bench.environment import gpu_memory_gib
from orz_bench.errors import ConfigError
from orz_rl.config import TrainConfig
from orz_rl.planning.architectures import architecture_of
from orz_rl.planning.plan import GIB, Hardware, make_plan


def require_room(config: TrainConfig, *, policy: str, critic: str, memory_gib: float | None) -> None:
    """Raise ConfigError if training needs more than a device has; models of unknown size are not checked.

    `policy` and `critic` are folders. On GPUs: all models that share a device. On a CPU, whose memory all processes
    share: the policy's first rank alone, which is certain not to fit.
    """
    if memory_gib is None:
        return
    try:
        vocabulary = architecture_of(policy).vocabulary
        model = config.model.model_copy(update={"policy": policy, "critic": critic})
        plan = make_plan(config.model_copy(update={"model": model}), Hardware(memory_gib), mean_tokens=1)
    except ConfigError:
        return
    is_gpu = config.cluster.device == "cuda"
    needed = plan.training_bytes if is_gpu else plan.policy.total
    if needed <= memory_gib * GIB:
        return
    working = plan.policy.working / GIB
    where, owner = ("on each GPU", "it") if is_gpu else ("of memory", "this machine")
    raise ConfigError(
        f"training needs at least {needed / GIB:.1f} GiB {where}, of which a pack of cluster.pack_tokens="
        f"{config.cluster.pack_tokens:,} at a vocabulary of {vocabulary:,} takes {working:.1f} GiB, but {owner} has "
        f"{memory_gib:.1f}; possible remedies (orz-rl plan shows the parts):"
        + "".join(f"\n  {line}" for line in (*plan.advice(), "a smaller model, or more memory"))
    )


def room_gib(config: TrainConfig) -> float | None:
    """Memory of this machine's smallest GPU, or on a CPU all of it; None if it has no GPU to ask."""
    if config.cluster.device == "cuda":
        return gpu_memory_gib()
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
