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
    lam_policy: float | None = None
    lam_value: float | None = None
    lam_alpha: float | None = None


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


def slow_gae(rewards: list[float], values: list[float], *, gamma: float, lam: float) -> list[float]:
    """By the recursion, from the last token back."""
    found, after, value_after = [], 0.0, 0.0
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        after = reward + gamma * value_after - value + gamma * lam * after
        value_after = value
        found.append(after)
    return found[::-1]


@pytest.mark.parametrize(
    "numbers",
    [
        Numbers(lam_policy=0.95, lam_value=1.0),
        Numbers(lam_policy=0.5, lam_value=0.9, gamma=0.99),
        Numbers(lam=0.7, lam_value=1.0),
        Numbers(lam=0.7, lam_policy=1.0),
        Numbers(lam_alpha=0.05, lam_value=1.0),
        Numbers(lam=0.3, lam_alpha=0.4, gamma=0.98),
        Numbers(lam=0.95),
    ],
)
def test_decoupled_advantages_and_returns_are_plain_loops(numbers: Numbers) -> None:
    lengths = [1, 3, 40, 90]
    generator = torch.Generator().manual_seed(4)
    mask = (torch.arange(90) < torch.tensor(lengths)[:, None]).double()
    rewards, values = (torch.randn(mask.shape, generator=generator, dtype=torch.float64) * mask for _ in range(2))
    found = estimate("gae", rewards, values_BT=values, group_B=GROUPS, mask_BT=mask, discounts=numbers)
    assert found.returns_BT is not None
    for row, length in enumerate(lengths):
        own, guessed = rewards[row, :length].tolist(), values[row, :length].tolist()
        lam_policy = numbers.lam if numbers.lam_policy is None else numbers.lam_policy
        if numbers.lam_alpha is not None:
            lam_policy = max(0.0, 1 - 1 / (numbers.lam_alpha * length))
        lam_value = numbers.lam if numbers.lam_value is None else numbers.lam_value
        wanted = slow_gae(own, guessed, gamma=numbers.gamma, lam=lam_policy)
        targets = slow_gae(own, guessed, gamma=numbers.gamma, lam=lam_value)
        targets = [target + value for target, value in zip(targets, guessed, strict=True)]
        assert found.raw_advantages_BT[row, :length].tolist() == pytest.approx(wanted, abs=1e-10)
        assert found.returns_BT[row, :length].tolist() == pytest.approx(targets, abs=1e-10)
        assert not found.returns_BT[row, length:].any()


@pytest.mark.parametrize("lam", [1.0, 0.95])
def test_settings_that_repeat_the_default_change_no_bit(lam: float) -> None:
    generator = torch.Generator().manual_seed(5)
    mask = (torch.arange(200) < torch.tensor([3, 200, 70, 64])[:, None]).float()
    rewards, values = (torch.randn(mask.shape, generator=generator) * mask for _ in range(2))
    arguments: dict[str, Any] = {"values_BT": values, "group_B": GROUPS, "mask_BT": mask}
    plain = estimate("gae", rewards, **arguments, discounts=Numbers(lam=lam, whiten=True))
    for numbers in (
        Numbers(lam=lam, lam_policy=lam, whiten=True),
        Numbers(lam=lam, lam_value=lam, whiten=True),
        Numbers(lam=0.123, lam_policy=lam, lam_value=lam, whiten=True),
    ):
        found = estimate("gae", rewards, **arguments, discounts=numbers)
        for name in ("advantages_BT", "raw_advantages_BT", "returns_BT"):
            assert torch.equal(getattr(found, name), getattr(plain, name)), name
    assert plain.returns_BT is not None
    assert torch.equal(plain.returns_BT, (plain.raw_advantages_BT + values) * mask)


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
