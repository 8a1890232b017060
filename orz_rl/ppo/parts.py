"""Advantage estimators, policy losses and rewards by name: ours, and those of other packages (`orz.advantages`,
`orz.losses`, `orz.rewards`).

Loads no torch: a configuration is checked without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginGroup
from orz_bench.records.rollout import Completion, Grade, Problem

RewardFunction = Callable[[Problem, Completion, Grade], float]
"""(problem, completion, grade) -> a finite number."""
DEFAULT_REWARD = "binary"

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Estimate:
    """The targets of the losses."""

    advantages_BT: Tensor
    raw_advantages_BT: Tensor
    """Before whitening."""
    returns_BT: Tensor | None
    """The critic's targets; None without a critic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvantageInputs:
    """What an estimator may use. B rollouts, T response positions; `mask_BT` is 1 on response tokens."""

    rewards_BT: Tensor
    """The reward on the last token of each rollout, minus a penalty on every token."""
    values_BT: Tensor | None
    """The critic's; None without one."""
    group_B: Tensor
    """The problem of each rollout, as a number."""
    mask_BT: Tensor
    gamma: float
    lam: float
    whiten: bool
    lam_policy: float | None = None
    """Of the policy's advantages, where it is not `lam`."""
    lam_value: float | None = None
    """Of the critic's returns, likewise."""
    lam_alpha: float | None = None
    """Of the policy's advantages, lambda is 1 - 1 / (lam_alpha l) for a response of l tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """A value of advantage.estimator."""

    name: str
    compute: Callable[[AdvantageInputs], Estimate]
    has_critic: bool = False
    """Whether a critic is trained, on the `returns_BT` of the estimate."""
    compares_group: bool = False
    """Whether it needs at least two samples of each problem."""
    reads: tuple[str, ...] = ()
    """Which of gamma, lam, lam_policy, lam_value, lam_alpha and whiten it uses; changing another one is refused."""


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The clipped objective and its diagnostics, as sums with the same weights."""

    loss: Tensor
    clipped: Tensor
    """Weighted share of tokens at which the clipped branch was taken."""
    approximate_kl: Tensor
    """k3 estimate of KL(old policy || policy)."""


class ComputesLoss(Protocol):
    """The function of a policy loss; N packed tokens, of which those of responses have a weight."""

    def __call__(
        self,
        logprobs_N: Tensor,
        old_logprobs_N: Tensor,
        *,
        advantages_N: Tensor,
        weights_N: Tensor,
        clip_low: float,
        clip_high: float,
    ) -> PolicyLoss:
        """A sum over the tokens with their weights, so that the losses of any split add up to that of all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A value of loss.objective."""

    name: str
    compute: ComputesLoss


def _ours(module: str, function: str) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(import_module(module), function)(*arguments, **named)

    return call


def _estimate(function: str) -> Callable[..., Any]:
    return _ours("orz_rl.ppo.estimate", function)


_DISCOUNTS = ("gamma", "lam", "lam_policy", "lam_value", "lam_alpha", "whiten")
_ADVANTAGES = (
    Advantage(name="gae", compute=_estimate("by_gae"), has_critic=True, reads=_DISCOUNTS),
    Advantage(name="grpo", compute=_estimate("by_grpo"), compares_group=True),
    Advantage(name="dr_grpo", compute=_estimate("by_dr_grpo"), compares_group=True),
    Advantage(name="rloo", compute=_estimate("by_rloo"), compares_group=True),
    Advantage(name="reinforce_pp", compute=_estimate("by_reinforce_pp"), reads=("gamma",)),
    Advantage(name="reverse_kl", compute=_estimate("by_reverse_kl")),
    Advantage(name="imitation", compute=_estimate("by_imitation")),
)
ADVANTAGES: PluginGroup[Advantage] = PluginGroup(
    name="orz.advantages",
    noun="advantage estimator",
    kind=Advantage,
    built_in=MappingProxyType({each.name: each for each in _ADVANTAGES}),
)
_OBJECTIVES = (
    Objective(name="ppo", compute=_ours("orz_rl.ppo.losses", "policy_loss")),
    Objective(name="log_likelihood", compute=_ours("orz_rl.ppo.losses", "log_likelihood_loss")),
)
OBJECTIVES: PluginGroup[Objective] = PluginGroup(
    name="orz.losses", noun="loss", kind=Objective, built_in=MappingProxyType({each.name: each for each in _OBJECTIVES})
)


REWARDS: PluginGroup[RewardFunction] = PluginGroup(
    name="orz.rewards",
    noun="reward",
    kind=Callable,  # type: ignore[arg-type]  # a protocol that is checked at run time
    built_in=MappingProxyType({DEFAULT_REWARD: "orz_rl.rollout.rewards:binary"}),
)
"""Ours, and those that other packages add."""


def reward_reference(name: str) -> tuple[str, str]:
    """(`module:attribute`, name and version of its package) of reward.function. ConfigError for an unknown name."""
    module, colon, attribute = name.partition(":")
    if not colon:
        return REWARDS.reference_of(name)
    parts = [*module.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(
            f"reward.function={name}: wanted package.module:name of a function of (problem, completion, grade), or one "
            f"of {', '.join(REWARDS.names())}."
        )
    return name, ""


def readers() -> Mapping[str, list[str]]:
    """Setting of the advantages -> our estimators that read it."""
    return {name: [each.name for each in _ADVANTAGES if name in each.reads] for name in _DISCOUNTS}
