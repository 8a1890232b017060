"""What TRL computed in one step, put together as the report from which every backend's metrics and rows follow.

B rollouts in the order of the step's problems, T response positions (right-padded to the longest response).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from orz_rl.backends.trl.mapping import is_rloo, reward_scale
from orz_rl.config import TrainConfig
from orz_rl.ppo.advantages import spread_over_tokens
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.estimate import Estimate
from orz_rl.ppo.losses import kl_estimate, policy_loss, token_weights
from orz_rl.rollout.collector import StepRollouts
from orz_rl.training.learner import Scores, Updates
from orz_rl.training.stopwatch import Stopwatch
from orz_rl.training.trainer import StepReport
from orz_rl.workers.messages import Update


@dataclass(slots=True)
class Trace:
    """One generation and its updates, filled in by the trainer as it goes on."""

    config: TrainConfig
    number: int
    collection: StepRollouts
    clock: Stopwatch = field(default_factory=Stopwatch)
    advantages_B: Tensor | None = None
    """As TRL has them, from rewards that are scaled."""
    old_BT: Tensor | None = None
    """None where TRL takes the update's own forward pass."""
    reference_BT: Tensor | None = None
    updates: list[Update] = field(default_factory=list)
    dealt: list[tuple[int, ...]] = field(default_factory=list)
    """The rollouts of each update."""
    lr: float = 0.0
    """Of the last update."""
    batch: Batch = field(init=False)
    logprobs_BT: Tensor = field(init=False)
    entropy_BT: Tensor = field(init=False)
    _members: list[int] = field(default_factory=list)
    _losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch = Batch.of(self.collection.rollouts)
        self.logprobs_BT = torch.zeros_like(self.batch.mask_BT)
        self.entropy_BT = torch.zeros_like(self.batch.mask_BT)

    @property
    def scale(self) -> float:
        """Of the rewards that TRL gets; see mapping.reward_scale."""
        return reward_scale(self.config, num_tokens=int(self.batch.lengths_B.sum()))

    @property
    def members(self) -> tuple[int, ...]:
        """The rollouts of the update in progress."""
        return tuple(self._members)

    def add_pass(self, rows: list[int], logprobs: Tensor, *, entropy: Tensor) -> None:
        """A forward pass of an update over these rollouts."""
        self._members += rows
        self.logprobs_BT[rows] = logprobs.detach().float().cpu() * self.batch.mask_BT[rows]
        self.entropy_BT[rows] = entropy.detach().float().cpu() * self.batch.mask_BT[rows]

    def add_loss(self, loss: float) -> None:
        """The share of such a pass in the update's loss."""
        self._losses.append(loss)

    def end_update(self, *, grad_norm: float, lr: float) -> None:
        """The optimizer step has been made."""
        members, config = self._members, self.config
        constant = float(config.rollout.max_tokens)
        weights_B = token_weights(self.batch.lengths_B[members], config.loss.normalisation, constant=constant).float()
        mask_BT = self.batch.mask_BT[members]
        weights_BT = weights_B[:, None] * mask_BT
        new_BT, old_BT = self.logprobs_BT[members], self._old(members)
        kl = torch.zeros(())
        if config.loss.kl_loss > 0:
            assert self.reference_BT is not None
            kl_BT = kl_estimate(new_BT, self.reference_BT[members], estimator=config.loss.kl_loss_estimator)
            kl = (kl_BT * weights_BT).sum()
        if is_rloo(config):  # the ratio of a whole response
            new_BT, old_BT = ((each * mask_BT).sum(dim=1, keepdim=True).expand_as(mask_BT) for each in (new_BT, old_BT))
        clipped = policy_loss(
            new_BT,
            old_BT,
            advantages_N=self._unscaled_B[members][:, None].expand_as(mask_BT),
            weights_N=weights_BT,
            clip_low=config.loss.clip_low,
            clip_high=config.loss.clip_high,
        ).clipped
        self.updates.append(
            Update(
                loss=sum(self._losses),
                clipped=float(clipped),
                kl_loss=float(kl),
                grad_norm=grad_norm,
                logprobs=[],
                entropies=[],
            )
        )
        self.lr = lr
        self.dealt.append(self.members)
        self._members, self._losses = [], []

    def report(self) -> StepReport:
        """Of the whole step, once every update has been made."""
        advantages_BT = spread_over_tokens(self._unscaled_B, self.batch.mask_BT)
        return StepReport(
            step=self.number,
            policy_version=self.number - 1,
            collection=self.collection,
            batch=self.batch,
            scores=Scores(None, self.old_BT, self.reference_BT, None),
            estimate=Estimate(advantages_BT, advantages_BT, None),
            updates=Updates(
                policy=tuple(self.updates),
                critic=(),
                logprobs_BT=self.logprobs_BT,
                entropy_BT=self.entropy_BT,
                packing_efficiency=None,
                learning_rates=(self.lr, 0.0),
            ),
            seconds=self.clock.seconds,
            cpu_seconds=self.clock.cpu_seconds,
        )

    @property
    def _unscaled_B(self) -> Tensor:  # noqa: N802 - B is its shape
        assert self.advantages_B is not None
        return self.advantages_B.float().cpu() / self.scale

    def _old(self, members: list[int]) -> Tensor:
        found: Any = self.logprobs_BT if self.old_BT is None else self.old_BT
        old_BT: Tensor = found[members]
        return old_BT
