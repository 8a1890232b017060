"""Rewards on tokens, and every estimator by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from orz_rl.names import Estimator
from orz_rl.ppo.estimate import estimate, token_rewards

MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
REWARDS = torch.tensor([1.0, 0.0, 1.0, 1.0])
GROUPS = torch.tensor([0, 0, 1, 1])


@dataclass(frozen=True)
class Numbers:
    gamma: float = 1.0
    lam: float = 1.0
    whiten: bool = False


def test_the_reward_sits_on_the_last_token() -> None:
    assert token_rewards(REWARDS, MASK).tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]
    penalised = token_rewards(REWARDS, MASK, penalty_BT=torch.full_like(MASK, 0.5))
    assert penalised.tolist() == [[-0.5, -0.5, 0.5], [-0.5, -0.5, 0], [0.5, 0, 0], [-0.5, -0.5, 0.5]]


def test_gae_with_lambda_1_is_return_minus_value() -> None:
    values = torch.full_like(MASK, 0.25) * MASK
    found = estimate(
        "gae", token_rewards(REWARDS, MASK), values_BT=values, group_B=GROUPS, mask_BT=MASK, discounts=Numbers()
    )
    assert torch.allclose(found.advantages_BT, (REWARDS[:, None] - 0.25) * MASK)
    assert found.returns_BT is not None
    assert torch.allclose(found.returns_BT, REWARDS[:, None] * MASK)


@pytest.mark.parametrize(
    ("estimator", "wanted"),
    [
        ("dr_grpo", [0.5, -0.5, 0.0, 0.0]),
        ("grpo", [2**-0.5, -(2**-0.5), 0.0, 0.0]),
        ("rloo", [1.0, -1.0, 0.0, 0.0]),
    ],
)
def test_group_estimators_give_every_token_its_rollouts_advantage(estimator: Estimator, wanted: list[float]) -> None:
    found = estimate(
        estimator, token_rewards(REWARDS, MASK), values_BT=None, group_B=GROUPS, mask_BT=MASK, discounts=Numbers()
    )
    assert torch.allclose(found.advantages_BT, torch.tensor(wanted)[:, None] * MASK, atol=1e-4)
    assert found.returns_BT is None


def test_reinforce_pp_whitens_the_rewards_to_come() -> None:
    found = estimate(
        "reinforce_pp",
        token_rewards(REWARDS, MASK),
        values_BT=None,
        group_B=GROUPS,
        mask_BT=MASK,
        discounts=Numbers(gamma=0.5),
    )
    raw = torch.tensor([[0.25, 0.5, 1.0], [0, 0, 0], [1.0, 0, 0], [0.25, 0.5, 1.0]])
    assert torch.allclose(found.raw_advantages_BT, raw)
    tokens = raw[MASK.bool()]
    assert torch.allclose(
        found.advantages_BT[MASK.bool()], (tokens - tokens.mean()) / tokens.std(unbiased=False), atol=1e-5
    )


def test_reverse_kl_is_the_reward_of_the_token_itself_and_imitation_is_one() -> None:
    gap = torch.tensor([[0.5, -1.0, 2.0], [0.25, 0.0, 9.0], [1.0, 9.0, 9.0], [0.0, 0.0, 3.0]])
    rewards = token_rewards(torch.zeros(4), MASK, penalty_BT=gap)
    arguments: dict[str, Any] = {"values_BT": None, "group_B": GROUPS, "mask_BT": MASK, "discounts": Numbers()}
    found = estimate("reverse_kl", rewards, **arguments)
    assert torch.equal(found.advantages_BT, -gap * MASK)
    assert found.returns_BT is None
    assert torch.equal(estimate("imitation", rewards, **arguments).advantages_BT, MASK)
