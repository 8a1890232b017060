"""Distillation: overrides by which any recipe learns answers, or a teacher's probabilities; and tiny_distill."""

from __future__ import annotations

import json

from orz_rl.config import AdvantageConfig, LossConfig, TrainConfig
from orz_rl.recipes.tiny import tiny
from orz_rl.settings.distill import DistillConfig

_NO_KL = ("model.critic=null", "loss.kl_loss=0", "loss.kl_penalty=0", "loss.kl_estimator=auto")


def supervised(source: str) -> tuple[str, ...]:
    """Overrides of a recipe that then learns the right answers of a run or a table."""
    return (
        f"distill.source={json.dumps(source)}",
        "distill.teacher=null",
        "advantage.estimator=imitation",
        "loss.objective=log_likelihood",
        *_NO_KL,
    )


def on_policy(teacher: str, *, teacher_tokens: int = 0) -> tuple[str, ...]:
    """Overrides of a recipe that then learns the probabilities of a teacher, on samples of its own.

    Those of the sampled tokens, or of the teacher's `teacher_tokens` at every place.
    """
    return (
        f"distill.teacher={json.dumps(teacher)}",
        "distill.source=null",
        f"distill.teacher_tokens={teacher_tokens}",
        f"distill.batch={DistillConfig().batch}",
        "advantage.estimator=reverse_kl",
        "loss.objective=ppo",
        *_NO_KL,
    )


def tiny_distill() -> TrainConfig:
    """The embedded model learns the right answers of runs/tiny, which the recipe tiny writes, in a minute."""
    base = tiny()
    return base.model_copy(
        update={
            "distill": DistillConfig(source="runs/tiny:from_step=21"),
            "advantage": AdvantageConfig(estimator="imitation"),
            "loss": LossConfig(objective="log_likelihood"),
            "optim": base.optim.model_copy(update={"policy_lr": 1e-3, "final_lr": 5e-5}),
            "num_steps": 60,
        }
    )
