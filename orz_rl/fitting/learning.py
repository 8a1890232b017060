"""A critic that learns the returns of stored rollouts: one optimizer step, and what its values explain.

B rollouts, T response positions, R response tokens of a pack. The return of a token is the discounted sum of the
rewards from it on (lambda = 1): values of a fixed policy without the critic's own guesses (VC-PPO, 2503.01491).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from orz_bench.errors import EngineError
from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.ppo.advantages import discounted_sums
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.estimate import token_rewards
from orz_rl.ppo.schedule import schedule
from orz_rl.workers.cluster import ModelGroup
from orz_rl.workers.messages import CriticPack, NonFinite

_AT_ONCE = 256
"""Rollouts that are assessed together."""
_ROUNDING = 1e-9
"""Variance below which returns count as equal, relative to their mean square."""


class CriticLearner:
    """A critic on one rank."""

    def __init__(self, group: ModelGroup, config: TrainConfig) -> None:
        self.group = group
        self._capacity, self._gamma = config.cluster.pack_tokens, config.advantage.gamma
        self._share_prompts = config.cluster.share_prompts

    def update(self, rollouts: Sequence[Rollout], *, lr: float) -> float:
        """One optimizer step on half the mean squared error of the tokens; returns it. EngineError if not finite."""
        batch = self._batch(rollouts)
        shares = batch.shares(range(len(rollouts)), capacity=self._capacity, num_ranks=1)
        returns = batch.in_packs(self._returns(batch), shares)
        weights_B = torch.full((len(rollouts),), 1.0 / float(batch.lengths_B.sum()))
        parts = zip(batch.packs(shares)[0], batch.repeated(weights_B, shares)[0], returns[0], strict=True)
        items = [
            CriticPack(pack=pack, weights_R=weights_R, returns_R=returns_R, old_values_R=returns_R)
            for pack, weights_R, returns_R in parts
        ]
        (outcome,) = self.group.update_critic([[items]], lr=[lr], clip=None).results()
        if isinstance(outcome, NonFinite):
            raise EngineError(
                f"the critic's {outcome.what} is not finite, so the update was stopped; fit it with a lower --lr."
            )
        return outcome[0].loss

    def explained_variance(self, rollouts: Sequence[Rollout]) -> float | None:
        """1 - var(return - value) / var(return) over the tokens; None where all returns are equal."""
        found = [self._assessed(rollouts[at : at + _AT_ONCE]) for at in range(0, len(rollouts), _AT_ONCE)]
        returns, values = (np.concatenate(each) for each in zip(*found, strict=True))
        variance = returns.var()
        if variance <= _ROUNDING * (1 + np.square(returns).mean()):
            return None
        return float(1 - (returns - values).var() / variance)

    def _assessed(self, rollouts: Sequence[Rollout]) -> tuple[np.ndarray, np.ndarray]:
        """(returns, values) of all response tokens."""
        batch = self._batch(rollouts)
        shares = batch.shares(range(len(rollouts)), capacity=self._capacity, num_ranks=1)
        values_BT = batch.from_packs(self.group.values(batch.packs(shares)).results(), shares)
        is_token_BT = batch.mask_BT > 0
        return (
            self._returns(batch)[is_token_BT].double().numpy(),
            values_BT[is_token_BT].double().numpy(),
        )

    def _batch(self, rollouts: Sequence[Rollout]) -> Batch:
        return Batch.of(rollouts, share_prompts=self._share_prompts, is_sampled=False)

    def _returns(self, batch: Batch) -> Tensor:
        return discounted_sums(token_rewards(batch.rewards_B, batch.mask_BT), self._gamma) * batch.mask_BT


def orders(count: int, *, batch: int, epochs: int, seed: int) -> list[list[int]]:
    """The members of each optimizer step: in each epoch all once, in a new order; its steps have nearly equal sizes."""
    found = []
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(count, generator=generator)
        found += [sorted(part.tolist()) for part in torch.tensor_split(order, max(1, round(count / batch)))]
    return found


def rates(num_updates: int, *, lr: float, warmup: int) -> list[float]:
    """The learning rate of each step: that of training, with a warm-up of at most a tenth of all steps."""
    return schedule(range(1, num_updates + 1), peak=lr, warmup=min(warmup, num_updates // 10))
