"""What a rank does with a state that another run has saved: a branch may have other settings of the optimiser."""

from __future__ import annotations

from typing import Any

from orz_rl.workers.messages import ModelSpec


def use_own_settings(optimizer: Any, spec: ModelSpec) -> None:
    """Give the optimiser the settings of this run: with its state DeepSpeed loads those of the run that saved it."""
    for group in optimizer.param_groups:
        group["betas"], group["weight_decay"] = spec.betas, spec.weight_decay
    if hasattr(optimizer, "clip_grad"):
        optimizer.clip_grad = spec.max_grad_norm
