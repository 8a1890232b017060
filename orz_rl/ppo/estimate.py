"""Advantages and returns of one step from rewards (and values), by any estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from orz_rl.ppo.advantages import discounted_sums, gae, group_centred, grpo, rloo, spread_over_tokens, whiten

Estimator = Literal["gae", "grpo", "dr_grpo", "rloo", "reinforce_pp"]
_GROUP = {"grpo": grpo, "dr_grpo": group_centred, "rloo": rloo}


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
    def whiten(self) -> bool:
        """Whether GAE's advantages are normalised to mean 0 and deviation 1."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """The targets of the losses."""

    advantages_BT: Tensor
    raw_advantages_BT: Tensor
    """Before whitening."""
    returns_BT: Tensor | None
    """The critic's targets; None without a critic."""


def token_rewards(rewards_B: Tensor, mask_BT: Tensor, *, penalty_BT: Tensor | None = None) -> Tensor:
    """The reward of each rollout on its last token, minus a penalty on every token. Shape (B, T)."""
    last_B = mask_BT.sum(dim=1).long() - 1
    rewards_BT = torch.zeros_like(mask_BT)
    rewards_BT[torch.arange(len(rewards_B)), last_B] = rewards_B
    return rewards_BT if penalty_BT is None else rewards_BT - penalty_BT * mask_BT


def estimate(
    estimator: Estimator,
    rewards_BT: Tensor,
    *,
    values_BT: Tensor | None,
    group_B: Tensor,
    mask_BT: Tensor,
    discounts: Discounts,
) -> Estimate:
    """Advantages by any estimator; those of gae are whitened over the batch if `discounts.whiten` is set.

    gae: generalised advantages, and returns = advantages + values. reinforce_pp: discounted future rewards, whitened
    over the batch (REINFORCE++, Hu 2025, 2501.03262). The others compare the total reward of a rollout with
    those of its group.
    """
    gamma = discounts.gamma
    if estimator == "gae":
        assert values_BT is not None
        raw_BT = gae(rewards_BT, values_BT, mask_BT=mask_BT, gamma=gamma, gae_lambda=discounts.lam)
        return Estimate(whiten(raw_BT, mask_BT) if discounts.whiten else raw_BT, raw_BT, (raw_BT + values_BT) * mask_BT)
    if estimator == "reinforce_pp":
        raw_BT = discounted_sums(rewards_BT, gamma) * mask_BT
        return Estimate(whiten(raw_BT, mask_BT), raw_BT, None)
    raw_BT = spread_over_tokens(_GROUP[estimator](rewards_BT.sum(dim=1), group_B), mask_BT)
    return Estimate(raw_BT, raw_BT, None)
