"""Whose gradient each KL estimator has, in the loss and in the rewards: every expectation is summed, none is sampled.

A policy over V tokens with logits of its own. In the loss the estimate itself is differentiated; in the rewards it is a
number that weighs the gradient of the token's log-probability.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_rl.ppo.losses import kl_estimate
from orz_rl.recipes.registry import resolve

V = 5
ESTIMATORS = ("k1", "k2", "k3")


def distributions() -> tuple[Tensor, Tensor]:
    """The policy's logits and the reference's log-probabilities."""
    generator = torch.Generator().manual_seed(0)
    logits = (1.5 * torch.randn(V, generator=generator, dtype=torch.float64)).requires_grad_()
    return logits, torch.log_softmax(torch.randn(V, generator=generator, dtype=torch.float64), dim=0)


def gradient_of_kl(*, reverse: bool) -> Tensor:
    """Of KL(policy || reference), or of KL(reference || policy)."""
    logits, reference = distributions()
    policy = torch.log_softmax(logits, dim=0)
    left, right = (reference, policy) if reverse else (policy, reference)
    (left.exp() * (left - right)).sum().backward()
    assert logits.grad is not None
    return logits.grad


def gradient_in_the_loss(estimator: Any) -> Tensor:
    """Expected over the policy's tokens: the sum over all of them of probability x gradient of the estimate."""
    logits, reference = distributions()
    policy = torch.log_softmax(logits, dim=0)
    estimate = kl_estimate(policy, reference, estimator=estimator)
    (policy.detach().exp() * estimate).sum().backward()
    assert logits.grad is not None
    return logits.grad


def gradient_in_the_rewards(estimator: Any) -> Tensor:
    """Expected over the policy's tokens: probability x estimate, as a number, x gradient of the log-probability."""
    logits, reference = distributions()
    policy = torch.log_softmax(logits, dim=0)
    estimate = kl_estimate(policy, reference, estimator=estimator).detach()
    (policy.detach().exp() * estimate * policy).sum().backward()
    assert logits.grad is not None
    return logits.grad


def is_same(left: Tensor, right: Tensor) -> bool:
    return bool(torch.allclose(left, right, atol=1e-12))


FORWARD, REVERSE = gradient_of_kl(reverse=False), gradient_of_kl(reverse=True)


def test_in_the_loss() -> None:
    assert is_same(gradient_in_the_loss("k1"), torch.zeros(V, dtype=torch.float64))
    assert is_same(gradient_in_the_loss("k2"), FORWARD)
    assert is_same(gradient_in_the_loss("k3"), REVERSE)


def test_in_the_rewards() -> None:
    assert is_same(gradient_in_the_rewards("k1"), FORWARD)
    assert is_same(gradient_in_the_rewards("k3"), FORWARD - REVERSE)
    for gradient in (FORWARD, REVERSE, FORWARD - REVERSE):
        assert not is_same(gradient_in_the_rewards("k2"), gradient)
    signs = torch.sign(gradient_in_the_rewards("k3")) != torch.sign(FORWARD)
    assert int(signs.sum()) > 0, "not even the direction of every logit"


def test_as_a_number_k1_and_k3_are_without_bias() -> None:
    logits, reference = distributions()
    policy = torch.log_softmax(logits, dim=0).detach()
    kl = float((policy.exp() * (policy - reference)).sum())
    for estimator, is_exact in (("k1", True), ("k2", False), ("k3", True)):
        estimate = kl_estimate(policy, reference, estimator=estimator)  # type: ignore[arg-type]
        assert (float((policy.exp() * estimate).sum()) == pytest.approx(kl, abs=1e-12)) == is_exact


@pytest.mark.parametrize("estimator", ["auto", *ESTIMATORS])
def test_settings_take_what_has_the_gradient_of_a_kl_and_nothing_else(estimator: Any) -> None:
    """Which combinations are accepted follows from the gradients, not from a list."""
    for place, gradient_in, name in (
        ("kl_loss", gradient_in_the_loss, "kl_loss_estimator"),
        ("kl_penalty", gradient_in_the_rewards, "kl_penalty_estimator"),
    ):
        overrides = [f"loss.{place}=0.1", f"loss.kl_estimator={estimator}"]
        chosen = {"auto": {"kl_loss": "k2", "kl_penalty": "k1"}[place]}.get(estimator, estimator)
        if any(is_same(gradient_in(chosen), gradient) for gradient in (FORWARD, REVERSE)):
            assert getattr(resolve("tiny", overrides=overrides).loss, name) == chosen
        else:
            with pytest.raises(ConfigError, match=f"loss.kl_estimator={estimator}"):
                resolve("tiny", overrides=overrides)
    both = resolve("tiny", overrides=["loss.kl_loss=0.1", "loss.kl_penalty=0.1"]).loss
    assert (both.kl_loss_estimator, both.kl_penalty_estimator) == ("k2", "k1")
