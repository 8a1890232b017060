"""Converts settings written into config.yaml by earlier versions to the present names and units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settings_of_today(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a whole tree of plain values."""
    renamed = dict(tree)
    if isinstance(renamed.get("optim"), Mapping):
        renamed["optim"] = optim_of_today(renamed["optim"])
    if isinstance(renamed.get("loss"), Mapping):
        renamed["loss"] = _loss_of_today(renamed["loss"])
    return renamed


def optim_of_today(optim: Mapping[str, Any]) -> dict[str, Any]:
    """`warmup_steps` counted generations for both models; the new settings count the optimizer steps of each model."""
    renamed = dict(optim)
    if "warmup_steps" not in renamed:
        return renamed
    generations = renamed.pop("warmup_steps")
    for model, usual in (("policy", 1), ("critic", 12)):
        updates = renamed.get(f"{model}_updates", usual)
        is_number = isinstance(generations, int | float) and isinstance(updates, int | float)
        renamed[f"{model}_warmup_updates"] = generations * updates if is_number else generations
    return renamed


def _loss_of_today(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Earlier versions recorded an estimator even without a KL term."""
    has_kl = any(loss.get(name) for name in ("kl_loss", "kl_penalty"))
    return dict(loss) if has_kl else {**loss, "kl_estimator": "auto"}
