"""Advantages and returns of one step from rewards (and values), by any estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_rl.ppo.advantages import (
    discounted_sums,
    from_blocks,
    gae,
    group_centred,
    grpo,
    length_adaptive_lambda,
    rloo,
    row_blocks,
    spread_over_tokens,
    whiten,
)
from orz_rl.ppo.parts import ADVANTAGES, Advantage, AdvantageInputs, Estimate


class Discounts(Protocol):
    """The settings of an estimator."""

    @property
    def gamma(self) -> float:
        """Discount per token."""
        ...

    @property
    def lam(self) -> float:
        """Lambda of GAE."""
        ...

    @property
    def lam_policy(self) -> float | None:
        """Another lambda for the policy's advantages."""
        ...

    @property
    def lam_value(self) -> float | None:
        """Another lambda for the critic's returns."""
        ...

    @property
    def lam_alpha(self) -> float | None:
        """The alpha of a lambda that depends on a response's length, for the policy's advantages."""
        ...

    @property
    def whiten(self) -> bool:
        """Whether GAE's advantages are normalised to mean 0 and deviation 1."""
        ...


def token_rewards(rewards_B: Tensor, mask_BT: Tensor, *, penalty_BT: Tensor | None = None) -> Tensor:
    """The reward of each rollout on its last token, minus a penalty on every token. Shape (B, T)."""
    last_B = mask_BT.sum(dim=1).long() - 1
    rewards_BT = torch.zeros_like(mask_BT)
    rewards_BT[torch.arange(len(rewards_B)), last_B] = rewards_B
    return rewards_BT if penalty_BT is None else rewards_BT - penalty_BT * mask_BT


def estimate(
    estimator: str,
    rewards_BT: Tensor,
    *,
    values_BT: Tensor | None,
    group_B: Tensor,
    mask_BT: Tensor,
    discounts: Discounts,
) -> Estimate:
    """Advantages by any estimator of orz_rl.ppo.parts.

    Raises ConfigError, with its name, where that of another package returns something other than finite advantages.
    """
    advantage = ADVANTAGES.load(estimator)
    if not len(mask_BT):  # reward.truncated masks every rollout of the step
        return Estimate(mask_BT, mask_BT, mask_BT if advantage.has_critic else None)
    found = advantage.compute(
        AdvantageInputs(
            rewards_BT=rewards_BT,
            values_BT=values_BT,
            group_B=group_B,
            mask_BT=mask_BT,
            gamma=discounts.gamma,
            lam=discounts.lam,
            lam_policy=discounts.lam_policy,
            lam_value=discounts.lam_value,
            lam_alpha=discounts.lam_alpha,
            whiten=discounts.whiten,
        )
    )
    if estimator not in ADVANTAGES.built_in:
        _require_usable(found, advantage, mask_BT=mask_BT)
    return found


def by_gae(inputs: AdvantageInputs) -> Estimate:
    """Generalised advantages, whitened over the batch if `whiten` is set, and returns = advantages + values.

    Decoupled (VC-PPO, 2503.01491): the advantages of the returns may have another lambda than the policy's.
    """
    values_BT, mask_BT = inputs.values_BT, inputs.mask_BT
    assert values_BT is not None
    lam_policy, lam_value = _lambdas(inputs)
    raw_BT = gae(inputs.rewards_BT, values_BT, mask_BT=mask_BT, gamma=inputs.gamma, gae_lambda=lam_policy)
    of_value_BT = raw_BT
    if isinstance(lam_policy, Tensor) or lam_policy != lam_value:
        of_value_BT = gae(inputs.rewards_BT, values_BT, mask_BT=mask_BT, gamma=inputs.gamma, gae_lambda=lam_value)
    blocks = row_blocks(mask_BT, of_value_BT, values_BT)
    returns_BT = from_blocks(((raw_RT + values_RT) * mask_RT for mask_RT, raw_RT, values_RT in blocks), like_BT=mask_BT)
    return Estimate(whiten(raw_BT, mask_BT) if inputs.whiten else raw_BT, raw_BT, returns_BT)


def _lambdas(inputs: AdvantageInputs) -> tuple[float | Tensor, float]:
    """(of the policy's advantages, of the critic's returns)."""
    lam_value = inputs.lam if inputs.lam_value is None else inputs.lam_value
    if inputs.lam_alpha is not None:
        return length_adaptive_lambda(inputs.mask_BT.sum(dim=1), inputs.lam_alpha), lam_value
    return inputs.lam if inputs.lam_policy is None else inputs.lam_policy, lam_value


def by_reinforce_pp(inputs: AdvantageInputs) -> Estimate:
    """Discounted future rewards, whitened over the batch (REINFORCE++, Hu 2025, 2501.03262)."""
    raw_BT = discounted_sums(inputs.rewards_BT, inputs.gamma) * inputs.mask_BT
    return Estimate(whiten(raw_BT, inputs.mask_BT), raw_BT, None)


def by_reverse_kl(inputs: AdvantageInputs) -> Estimate:
    """The reward of each token itself: with a teacher log pi_teacher - log pi_policy, so that the policy's gradient is
    that of the reverse KL at every token, given the tokens before it (docs/distillation.md).
    """
    own_BT = inputs.rewards_BT * inputs.mask_BT
    return Estimate(own_BT, own_BT, None)


def by_imitation(inputs: AdvantageInputs) -> Estimate:
    """1 for every response token: given answers are learned as they are."""
    return Estimate(inputs.mask_BT, inputs.mask_BT, None)


def by_grpo(inputs: AdvantageInputs) -> Estimate:
    """The total reward of a rollout compared with those of its group, over their deviation."""
    return _by_group(grpo, inputs)


def by_dr_grpo(inputs: AdvantageInputs) -> Estimate:
    """The same without the deviation."""
    return _by_group(group_centred, inputs)


def by_rloo(inputs: AdvantageInputs) -> Estimate:
    """The total reward of a rollout compared with the mean of the others of its group."""
    return _by_group(rloo, inputs)


def _by_group(compare: Callable[[Tensor, Tensor], Tensor], inputs: AdvantageInputs) -> Estimate:
    raw_BT = spread_over_tokens(compare(inputs.rewards_BT.sum(dim=1), inputs.group_B), inputs.mask_BT)
    return Estimate(raw_BT, raw_BT, None)


def _require_usable(found: object, advantage: Advantage, *, mask_BT: Tensor) -> None:
    """Raise ConfigError for an estimate that cannot be trained on."""
    name = f"advantage estimator {advantage.name} of {ADVANTAGES.package_of(advantage.name)}"
    if not isinstance(found, Estimate):
        raise ConfigError(f"{name} returned a {type(found).__name__}, wanted an Estimate; correct that package.")
    if (found.returns_BT is not None) != advantage.has_critic:
        raise ConfigError(
            f"{name}: returns belong to has_critic, which is {advantage.has_critic}; correct that package."
        )
    for values_BT in filter(lambda each: each is not None, (found.advantages_BT, found.returns_BT)):
        assert values_BT is not None
        if values_BT.shape != mask_BT.shape or not bool(torch.isfinite(values_BT).all()):
            raise ConfigError(
                f"{name} returned {tuple(values_BT.shape)} numbers, wanted {tuple(mask_BT.shape)}, all finite; correct "
                f"that package."
            )
