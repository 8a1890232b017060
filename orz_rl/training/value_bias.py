"""How far the critic's values are off, by position: VC-PPO (2503.01491) sees its bias grow towards the beginning.

B rollouts, T response positions. The return is the sum of what came, not the critic's own target, in which a lambda
below 1 puts its values.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from orz_rl.config import TrainConfig
from orz_rl.ppo.advantages import discounted_sums, row_blocks
from orz_rl.ppo.estimate import token_rewards
from orz_rl.training.trainer import StepReport

NUM_PARTS = 4


def true_returns(report: StepReport, config: TrainConfig) -> Tensor:
    """The discounted sum of the rewards from each token on. Shape (B, T)."""
    advantage, found = config.advantage, report.estimate.returns_BT
    lam = advantage.lam if advantage.lam_value is None else advantage.lam_value
    if advantage.estimator == "gae" and lam == 1 and found is not None:
        return found  # with lambda 1 the critic's targets are these returns
    batch = report.batch
    rewards_BT = token_rewards(batch.rewards_B, batch.mask_BT, penalty_BT=report.scores.kl_penalty_BT)
    return discounted_sums(rewards_BT, advantage.gamma)


def value_bias(values_BT: Tensor, returns_BT: Tensor, *, mask_BT: Tensor) -> Iterator[tuple[str, float]]:
    """The mean of value minus return over the tokens of each quarter of the responses; token t of l (from 0) is in
    quarter floor(4 t / l). Absent for a quarter without tokens.
    """
    sums, counts = torch.zeros(NUM_PARTS, dtype=torch.float64), torch.zeros(NUM_PARTS, dtype=torch.long)
    for mask_RT, values_RT, returns_RT in row_blocks(mask_BT, values_BT, returns_BT):
        lengths_R = mask_RT.sum(dim=1).long()
        # Part k begins at the first t with 4 t >= k l.
        begins_RP = (lengths_R[:, None] * torch.arange(NUM_PARTS + 1) + NUM_PARTS - 1) // NUM_PARTS
        errors_RT = (values_RT.double() - returns_RT.double()) * mask_RT
        before_RT = torch.nn.functional.pad(errors_RT.cumsum(dim=1), (1, 0))
        sums += before_RT.gather(1, begins_RP).diff(dim=1).sum(dim=0)
        counts += begins_RP.diff(dim=1).sum(dim=0)
    for part in range(NUM_PARTS):
        if counts[part]:
            yield f"critic/value_bias_{part + 1}", float(sums[part] / counts[part])
