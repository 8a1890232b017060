"""The ablations of the papers, curated data and annealing, as changes of any recipe: `--variant gae_lambda_0p95`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from orz_rl.config import TrainConfig
from orz_rl.settings.section import Section

Variant = Callable[[TrainConfig, str], TrainConfig]
"""(configuration, name of the recipe) -> the changed configuration."""

_ANNEALED_RATE = 0.3
_STEPS_PER_ANNEALED_STEP = 11
"""orz_32b: 1100 steps at 1e-6, then 100 that end at 3e-7."""
_FEWEST_STEPS = 20


def _with(section: str, **values: object) -> Variant:
    """A change of one section's values."""

    def change(config: TrainConfig, recipe: str) -> TrainConfig:
        del recipe
        old: Section = getattr(config, section)
        return config.model_copy(update={section: old.model_copy(update=values)})

    return change


def _batch(prompt_share: float, rollouts: float, *, updates: int | None = None) -> Variant:
    """Fewer problems or samples per step, or more updates, relative to the recipe."""

    def change(config: TrainConfig, recipe: str) -> TrainConfig:
        rollout = config.rollout
        sizes = {
            "num_problems": max(1, round(rollout.num_problems * prompt_share)),
            "num_samples": max(2, round(rollout.num_samples * rollouts)),
        }
        changed = config.model_copy(update={"rollout": rollout.model_copy(update=sizes)})
        return changed if updates is None else _with("optim", policy_updates=updates)(changed, recipe)

    return change


def _anneal(config: TrainConfig, recipe: str) -> TrainConfig:
    """Go on from the recipe's own run on the problems that were hard for it, at a falling rate (orz_32b_anneal).

    The run is runs/RECIPE; `orz-rl curate mine-hard runs/RECIPE --out data/RECIPE_hard.json` writes the problems.
    """
    checkpoint = f"runs/{recipe}/checkpoints/step={config.num_steps:06d}"
    critic = f"{checkpoint}/critic" if config.has_critic else None
    optim = {
        "final_lr": _ANNEALED_RATE * config.optim.policy_lr,
        "policy_warmup_updates": 0,
        "critic_warmup_updates": 0,
    }
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"policy": f"{checkpoint}/policy", "critic": critic}),
            "data": config.data.model_copy(update={"source": (f"data/{recipe}_hard.json",), "limit": None}),
            "optim": config.optim.model_copy(update=optim),
            "num_steps": max(_FEWEST_STEPS, config.num_steps // _STEPS_PER_ANNEALED_STEP),
        }
    )


_GROUP = 16
"""Samples of a problem in VAPO: 512 problems x 16 (section 5.1), as many rollouts as 8192 x 1."""
_CRITIC_RATE = 2.0
"""The critic's learning rate over the policy's: 2e-6 and 1e-6 (VAPO, section 5.1)."""


def _family(warmup: int, *, advantage: Mapping[str, float], loss: Mapping[str, object]) -> Variant:
    """The critic learns alone for so many steps, which are added to the recipe's; other lambdas and losses."""

    def change(config: TrainConfig, recipe: str) -> TrainConfig:
        del recipe
        rate = _CRITIC_RATE * config.optim.policy_lr
        return config.model_copy(
            update={
                "critic": config.critic.model_copy(update={"warmup_steps": warmup}),
                "advantage": config.advantage.model_copy(update={"estimator": "gae", "gamma": 1.0, **advantage}),
                "loss": config.loss.model_copy(update=dict(loss)),
                "optim": config.optim.model_copy(update={"critic_lr": rate}),
                "num_steps": config.num_steps + warmup,
            }
        )

    return change


def _vapo(config: TrainConfig, recipe: str) -> TrainConfig:
    """VAPO (2504.05118, section 5.1): 50 steps of value pretraining, decoupled and length-adaptive GAE with alpha 0.05,
    clip-higher, token-level loss, positive-example loss with mu 0.1, groups of 16.
    """
    loss = {"clip_low": 0.2, "clip_high": 0.28, "positive_nll": 0.1, "normalisation": "token"}
    changed = _family(50, advantage={"lam_value": 1.0, "lam_alpha": 0.05}, loss=loss)(config, recipe)
    groups = {"num_problems": max(1, config.num_rollouts // _GROUP), "num_samples": _GROUP}
    return changed.model_copy(update={"rollout": changed.rollout.model_copy(update=groups)})


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
        # VC-PPO (2503.01491): lambda of the policy 0.95, of the critic 1; the number of steps is that of
        # open-instruct's scripts: the paper trains the critic until its loss and explained variance have settled.
        "vc_ppo": _family(100, advantage={"lam_policy": 0.95, "lam_value": 1.0}, loss={}),
        "vapo": _vapo,
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
        "curated": _with("data", source=("data/orz-mix/train.jsonl",)),
        "curated_english": _with("data", source=("data/orz-mix-english/train.jsonl",)),
        "anneal": _anneal,
    }
)
