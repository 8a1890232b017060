"""The ablations of the papers, as changes of any recipe: `--variant gae_lambda_0p95`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from orz_rl.config import Section, TrainConfig

Variant = Callable[[TrainConfig], TrainConfig]


def _with(section: str, **values: object) -> Variant:
    """A change of one section's values."""

    def change(config: TrainConfig) -> TrainConfig:
        old: Section = getattr(config, section)
        return config.model_copy(update={section: old.model_copy(update=values)})

    return change


def _batch(prompt_share: float, rollouts: float, *, updates: int | None = None) -> Variant:
    """Fewer problems or samples per step, or more updates, relative to the recipe."""

    def change(config: TrainConfig) -> TrainConfig:
        rollout = config.rollout
        sizes = {
            "num_problems": max(1, round(rollout.num_problems * prompt_share)),
            "num_samples": max(2, round(rollout.num_samples * rollouts)),
        }
        changed = config.model_copy(update={"rollout": rollout.model_copy(update=sizes)})
        return changed if updates is None else _with("optim", policy_updates=updates)(changed)

    return change


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "gae_lambda_0p95": _with("advantage", lam=0.95),
        "gamma_0p99": _with("advantage", gamma=0.99),
        "kl_loss": _with("loss", kl_loss=0.001),
        "kl_penalty": _with("loss", kl_penalty=0.001),
        "grpo": _with("advantage", estimator="grpo"),
        "dr_grpo": _with("advantage", estimator="dr_grpo"),
        "rloo": _with("advantage", estimator="rloo"),
        "reinforce_pp": _with("advantage", estimator="reinforce_pp"),
        "clip_higher": _with("loss", clip_high=0.28),
        "off_policy_4": _with("optim", policy_updates=4),
        "half_problems": _batch(0.5, 1.0),
        "half_samples": _batch(1.0, 0.5),
        "half_problems_off_policy_2": _batch(0.5, 1.0, updates=2),
        "quarter_problems_quadruple_samples": _batch(0.25, 4.0),
        "temperature_0p6": _with("rollout", temperature=0.6),
        "temperature_0p6_top_p_0p95": _with("rollout", temperature=0.6, top_p=0.95),
        "temperature_0p8": _with("rollout", temperature=0.8),
        "temperature_1p2": _with("rollout", temperature=1.2),
        "top_p_0p95": _with("rollout", top_p=0.95),
        "data_1k": _with("data", limit=1000),
        "data_7p5k": _with("data", limit=7500),
        "data_8k": _with("data", limit=8000),
        "english_only": _with("data", language="english"),
    }
)
