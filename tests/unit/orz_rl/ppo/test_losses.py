"""Losses by hand, their gradients, and that no split of a batch changes them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orz_rl.ppo.losses import (
    entropy,
    importance_weights,
    kl_estimate,
    policy_loss,
    positive_weights,
    sequence_mask,
    token_mask,
    token_weights,
    value_loss,
)


def test_the_likelihood_of_rewarded_responses_is_a_mean_over_their_tokens() -> None:
    """VAPO, equation 9: the sum over the tokens of all positive responses, over the number of these tokens."""
    lengths, rewards = torch.tensor([3, 1, 5, 2]), torch.tensor([1.0, 0.0, 0.2, -1.0])
    weights = positive_weights(lengths, rewards)
    assert weights.tolist() == pytest.approx([1 / 8, 0, 1 / 8, 0])
    assert float((weights * lengths).sum()) == pytest.approx(1)
    assert positive_weights(lengths, torch.zeros(4)).tolist() == [0, 0, 0, 0]


def one(
    logprob: float, old: float, advantage: float, *, low: float = 0.2, high: float = 0.2
) -> tuple[float, float, float]:
    """(loss, gradient by the log-prob, clipped) of one token of weight 1."""
    logprobs = torch.tensor([logprob], dtype=torch.float64, requires_grad=True)
    found = policy_loss(
        logprobs,
        torch.tensor([old], dtype=torch.float64),
        advantages_N=torch.tensor([advantage], dtype=torch.float64),
        weights_N=torch.ones(1, dtype=torch.float64),
        clip_low=low,
        clip_high=high,
    )
    found.loss.backward()
    assert logprobs.grad is not None
    assert float(found.approximate_kl) == pytest.approx(math.exp(logprob - old) - 1 - (logprob - old))
    return float(found.loss.detach()), float(logprobs.grad), float(found.clipped)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "is_clipped"),
    [
        (1.0, 2.0, -2.0, False),
        (1.1, 1.0, -1.1, False),
        (1.5, 1.0, -1.2, True),
        (1.5, -1.0, 1.5, False),
        (0.5, 1.0, -0.5, False),
        (0.5, -1.0, 0.8, True),
    ],
)
def test_clipping(ratio: float, advantage: float, loss: float, is_clipped: bool) -> None:
    found, gradient, clipped = one(math.log(ratio), 0.0, advantage)
    assert found == pytest.approx(loss)
    assert clipped == float(is_clipped)
    assert gradient == pytest.approx(0.0 if is_clipped else -ratio * advantage)


def test_every_number_is_weighted() -> None:
    log_ratios, weights = torch.tensor([math.log(1.5), math.log(0.7)]), torch.tensor([0.25, 0.5])
    found = policy_loss(
        log_ratios, torch.zeros(2), advantages_N=torch.ones(2), weights_N=weights, clip_low=0.2, clip_high=0.2
    )
    assert float(found.loss) == pytest.approx(-(0.25 * 1.2 + 0.5 * 0.7))
    assert float(found.clipped) == 0.25
    wanted = 0.25 * (0.5 - math.log(1.5)) + 0.5 * (-0.3 - math.log(0.7))
    assert float(found.approximate_kl) == pytest.approx(wanted)


def test_clip_higher_leaves_the_lower_bound() -> None:
    assert one(math.log(1.25), 0.0, 1.0, high=0.28)[0] == pytest.approx(-1.25)
    assert one(math.log(0.5), 0.0, -1.0, high=0.28)[0] == pytest.approx(0.8)


def test_the_first_gradient_is_the_policy_gradient() -> None:
    _, gradient, _ = one(-1.3, -1.3, 0.7)
    assert gradient == pytest.approx(-0.7)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=8), st.integers(1, 7), st.sampled_from(["token", "sequence"]))
def test_no_split_into_micro_batches_changes_loss_or_gradient(lengths: list[int], cut: int, kind: str) -> None:
    per_rollout = token_weights(torch.tensor(lengths), kind)  # type: ignore[arg-type]
    weights = torch.repeat_interleave(per_rollout, torch.tensor(lengths))
    generator = torch.Generator().manual_seed(sum(lengths))
    old, advantages = (torch.randn(len(weights), generator=generator, dtype=torch.float64) for _ in range(2))
    logprobs = (old + 0.3 * torch.randn(len(weights), generator=generator, dtype=torch.float64)).requires_grad_()

    def loss(part: slice) -> torch.Tensor:
        return policy_loss(
            logprobs[part],
            old[part],
            advantages_N=advantages[part],
            weights_N=weights[part],
            clip_low=0.2,
            clip_high=0.2,
        ).loss

    whole = loss(slice(None))
    (gradient,) = torch.autograd.grad(whole, logprobs)
    split = sum((loss(slice(start, start + cut)) for start in range(0, len(weights), cut)), torch.zeros(()))
    (split_gradient,) = torch.autograd.grad(split, logprobs)
    assert torch.allclose(whole, split)
    assert torch.allclose(gradient, split_gradient)


def test_weights() -> None:
    lengths = torch.tensor([1, 3])
    assert token_weights(lengths, "token").tolist() == [0.25, 0.25]
    assert token_weights(lengths, "sequence").tolist() == pytest.approx([0.5, 1 / 6])
    assert token_weights(lengths, "constant", constant=10).tolist() == [0.05, 0.05]
    with pytest.raises(ValueError, match="needs a positive constant"):
        token_weights(lengths, "constant")


def test_value_loss_with_and_without_clipping() -> None:
    values, old, returns = torch.tensor([1.0, 0.1]), torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0])
    weights = torch.tensor([0.5, 0.5])
    free = value_loss(values, old, returns_N=returns, weights_N=weights, clip=None)
    clipped = value_loss(values, old, returns_N=returns, weights_N=weights, clip=0.2)
    assert float(free) == pytest.approx(0.5 * 0.5 * (0 + 0.81))
    assert float(clipped) == pytest.approx(0.5 * 0.5 * (0.64 + 0.81))


def test_kl_estimates_agree_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    policy, reference = (torch.randn(6, generator=generator, dtype=torch.float64).log_softmax(0) for _ in range(2))
    exact = float((policy.exp() * (policy - reference)).sum())
    draws = torch.multinomial(policy.exp(), 200_000, replacement=True, generator=generator)
    for estimator in ("k1", "k3"):
        found = kl_estimate(policy[draws], reference[draws], estimator=estimator)
        assert float(found.mean()) == pytest.approx(exact, rel=0.03)
    assert bool((kl_estimate(policy[draws], reference[draws], estimator="k3") >= -1e-12).all())
    assert float(kl_estimate(torch.tensor([-1.0]), torch.tensor([-3.0]), estimator="k2")) == 2.0


def test_importance_weights_are_capped_and_have_no_gradient() -> None:
    logprobs = torch.tensor([0.0, 3.0, -1.0], requires_grad=True)
    found = importance_weights(logprobs, torch.tensor([0.0, 0.0, -1.5]), cap=2.0)
    assert found.tolist() == pytest.approx([1.0, 2.0, math.exp(0.5)])
    assert not found.requires_grad


def test_icepop_masks_what_is_outside_its_band_and_weighs_the_rest() -> None:
    trainer, sampler = torch.tensor([0.0, 3.0, -1.0, 0.5]), torch.tensor([0.0, 0.0, -0.5, 0.0])
    ratios = [1.0, math.exp(3.0), math.exp(-0.5), math.exp(0.5)]
    inside = [0.7 <= ratio <= 2.0 for ratio in ratios]
    found = importance_weights(trainer, sampler, cap=None, band=(0.7, 2.0))
    assert found.tolist() == pytest.approx([r * keeps for r, keeps in zip(ratios, inside, strict=True)])
    found = importance_weights(trainer, sampler, cap=1.2, band=(0.7, 2.0))
    assert found.tolist() == pytest.approx([min(r, 1.2) * keeps for r, keeps in zip(ratios, inside, strict=True)])
    assert token_mask(trainer, sampler, band=(0.7, 2.0)).tolist() == [float(keeps) for keeps in inside]


def test_a_response_is_masked_by_the_geometric_mean_of_its_ratios() -> None:
    ratios = torch.tensor([[2.0, 0.5, 1.0], [1.1, 1.1, 9.0], [0.8, 0.9, 1.0]])
    mask = torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 1, 1]])
    found = sequence_mask(ratios.log(), torch.zeros(3, 3), mask_BT=mask, band=(0.95, 1.2))
    assert found.tolist() == [1.0, 1.0, 0.0], "means 1, 1.1 and 0.896"


def test_entropy() -> None:
    assert entropy(torch.zeros(1, 8)).tolist() == pytest.approx([math.log(8)])
    assert entropy(torch.tensor([[0.0, 1000.0]])).tolist() == pytest.approx([0.0])
