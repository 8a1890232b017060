"""Advantages against per-token loops written as the formulas are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from orz_rl.ppo.advantages import (
    discounted_sums,
    gae,
    group_centred,
    grpo,
    length_adaptive_lambda,
    rloo,
    spread_over_tokens,
    whiten,
)


def a_batch(lengths: list[int], *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(rewards, values, mask) with rewards and values everywhere, also where they must not matter."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).double()
    return (
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64),
        mask,
    )


def slow_gae(rewards: Tensor, values: Tensor, length: int, *, gamma: float, lam: float) -> list[float]:
    found = [0.0] * len(rewards)
    for t in range(length):
        for later in range(t, length):
            after = float(values[later + 1]) if later + 1 < length else 0.0
            delta = float(rewards[later]) + gamma * after - float(values[later])
            found[t] += (gamma * lam) ** (later - t) * delta
    return found


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (1.0, 0.95), (0.99, 0.95), (0.9, 0.0), (0.5, 1.0)])
def test_gae(gamma: float, lam: float) -> None:
    lengths = [1, 5, 63, 64, 65, 130, 200]
    rewards, values, mask = a_batch(lengths)
    found = gae(rewards, values, mask_BT=mask, gamma=gamma, gae_lambda=lam)
    for row, length in enumerate(lengths):
        wanted = slow_gae(rewards[row], values[row], length, gamma=gamma, lam=lam)
        assert torch.allclose(found[row], torch.tensor(wanted, dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("gamma", [1.0, 0.97])
def test_gae_with_a_lambda_for_each_rollout(gamma: float) -> None:
    """Also over the blocks of rows and of tokens in which it is computed."""
    lengths = [1, 5, 63, 64, 65, 130, 200, 2, 90]
    rewards, values, mask = a_batch(lengths)
    lambdas = [0.0, 0.3, 0.95, 1.0, 0.99, 0.9, 0.98, 1.0, 0.5]
    found = gae(rewards, values, mask_BT=mask, gamma=gamma, gae_lambda=torch.tensor(lambdas, dtype=torch.float64))
    for row, (length, lam) in enumerate(zip(lengths, lambdas, strict=True)):
        wanted = slow_gae(rewards[row], values[row], length, gamma=gamma, lam=lam)
        assert torch.allclose(found[row], torch.tensor(wanted, dtype=torch.float64), atol=1e-10)


def test_each_row_keeps_its_lambda_where_rows_are_computed_in_several_blocks() -> None:
    lengths = [1500] * 100
    rewards, values, mask = a_batch(lengths)
    lambdas = torch.linspace(0, 1, 100, dtype=torch.float64)
    found = gae(rewards, values, mask_BT=mask, gamma=1.0, gae_lambda=lambdas)
    for row in (0, 42, 43, 44, 99):
        alone = gae(rewards[[row]], values[[row]], mask_BT=mask[[row]], gamma=1.0, gae_lambda=float(lambdas[row]))
        assert torch.allclose(found[row], alone[0], atol=1e-9)


def test_the_length_adaptive_lambda_by_hand() -> None:
    """1 - 1 / (0.05 l): 0.8 at 100 tokens; never below 0."""
    lengths = torch.tensor([1, 10, 20, 25, 100, 1000, 8000])
    wanted = [0.0, 0.0, 0.0, 1 - 1 / 1.25, 0.8, 0.98, 0.9975]
    assert length_adaptive_lambda(lengths, 0.05).tolist() == pytest.approx(wanted, abs=1e-12)
    # The weights of a long response's TD errors, lambda^t, sum to alpha l: the paper's reason for it.
    lam = float(length_adaptive_lambda(torch.tensor([8000]), 0.05)[0])
    assert sum(lam**t for t in range(8000)) == pytest.approx(0.05 * 8000, rel=1e-6)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=5), st.integers(0, 100))
def test_with_gamma_and_lambda_1_it_is_the_return_minus_the_value(lengths: list[int], seed: int) -> None:
    rewards, values, mask = a_batch(lengths, seed=seed)
    returns = (rewards * mask).flip(1).cumsum(1).flip(1)
    found = gae(rewards, values, mask_BT=mask, gamma=1.0, gae_lambda=1.0)
    assert torch.allclose(found, (returns - values) * mask, atol=1e-9)


def test_a_last_token_reward_without_a_critic_reaches_every_token() -> None:
    rewards = torch.zeros(1, 8000)
    rewards[0, 7999] = 1.0
    assert torch.allclose(
        gae(rewards, torch.zeros(1, 8000), mask_BT=torch.ones(1, 8000), gamma=1.0, gae_lambda=1.0), torch.ones(1, 8000)
    )


@pytest.mark.parametrize("discount", [0.0, 0.3, 0.99, 1.0])
@pytest.mark.parametrize("length", [1, 64, 100, 4097, 9000])
def test_discounted_sums_of_long_rows(length: int, discount: float) -> None:
    x = torch.randn(2, length, dtype=torch.float64, generator=torch.Generator().manual_seed(length))
    wanted = torch.zeros_like(x)
    after = torch.zeros(2, dtype=torch.float64)
    for t in reversed(range(length)):
        after = x[:, t] + discount * after
        wanted[:, t] = after
    assert torch.allclose(discounted_sums(x, discount), wanted, atol=1e-9)


@pytest.mark.parametrize("length", [1, 64, 100, 4097])
def test_discounts_of_rows_that_are_all_equal_are_one_discount(length: int) -> None:
    x = torch.randn(3, length, dtype=torch.float64, generator=torch.Generator().manual_seed(length))
    for discount in (0.0, 0.5, 0.999, 1.0):
        each = torch.full((3,), discount, dtype=torch.float64)
        assert torch.allclose(discounted_sums(x, each), discounted_sums(x, discount), atol=1e-10)


def test_whitening_weighs_tokens_alike() -> None:
    rewards, _, mask = a_batch([3, 50, 7])
    white = whiten(rewards * mask, mask)
    tokens = white[mask.bool()]
    assert float(tokens.mean()) == pytest.approx(0, abs=1e-12)
    assert float(tokens.std(unbiased=False)) == pytest.approx(1, abs=1e-6)
    assert float(white[~mask.bool()].abs().max()) == 0


def test_whitening_equal_advantages_gives_zero() -> None:
    assert torch.equal(whiten(torch.ones(2, 3), torch.ones(2, 3)), torch.zeros(2, 3))


REWARDS = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
GROUPS = torch.tensor([7, 7, 7, 7, 3, 3, 9, 9])


def test_group_baselines_by_hand() -> None:
    centred = [0.5, -0.5, 0.5, -0.5, 0, 0, 0, 0]
    deviation = math.sqrt(4 * 0.25 / 3)
    others = [1 - 1 / 3, 0 - 2 / 3, 1 - 1 / 3, 0 - 2 / 3, 0, 0, 0, 0]
    assert group_centred(REWARDS, GROUPS).tolist() == centred
    assert grpo(REWARDS, GROUPS).tolist() == pytest.approx([value / deviation for value in centred], abs=1e-6)
    assert rloo(REWARDS, GROUPS).tolist() == pytest.approx(others)


def test_rewards_that_hardly_differ_are_divided_by_a_little_more_than_their_deviation() -> None:
    rewards = torch.tensor([0.0, 2e-4], dtype=torch.float64)
    variance = 2e-8
    wanted = 1e-4 / math.sqrt(variance + 1e-8)
    assert grpo(rewards, torch.zeros(2)).tolist() == pytest.approx([-wanted, wanted], rel=1e-9)
    assert grpo(rewards / 2, torch.zeros(2)).tolist() == [0.0, 0.0]
    white = whiten(rewards[None], torch.ones(1, 2, dtype=torch.float64))
    assert white[0].tolist() == pytest.approx([-(2**-0.5), 2**-0.5])


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-2, 2)), min_size=2, max_size=30))
def test_groups_may_stand_in_any_order(pairs: list[tuple[int, float]]) -> None:
    groups = torch.tensor([group for group, _ in pairs] * 2)
    rewards = torch.tensor([reward for _, reward in pairs] * 2, dtype=torch.float64) + torch.arange(2 * len(pairs)) % 5
    for estimator in (group_centred, grpo, rloo):
        found = estimator(rewards, groups)
        order = torch.randperm(len(rewards), generator=torch.Generator().manual_seed(1))
        assert torch.allclose(estimator(rewards[order], groups[order]), found[order], atol=1e-9)


def test_advantages_are_spread_over_the_tokens_of_their_rollout() -> None:
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert spread_over_tokens(torch.tensor([2.0, -1.0]), mask).tolist() == [[2, 2, 0], [-1, 0, 0]]
