"""Losses of policy and critic on packed tokens, and the weights that reduce them to one number.

N: packed tokens, of which those of responses have a weight. Weights are fixed by the whole step, not by a micro-batch:
the losses of any split of the tokens add up to the loss of all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from orz_rl.names import KlEstimator, Normalisation
from orz_rl.ppo.parts import PolicyLoss

Band = tuple[float, float]
"""(low, high) of a ratio, both included."""
_SMALLEST_REST = 1e-6


def token_weights(lengths_B: Tensor, normalisation: Normalisation, *, constant: float | None = None) -> Tensor:
    """The weight of each token of a rollout in the loss of one step. Shape (B,): equal for all tokens of a rollout.

    token: equal for every token of the step. sequence: equal for every rollout, and for its tokens. constant: every
    token 1 / (B constant), as in Dr.GRPO, where `constant` is the generation limit.
    """
    lengths_B = lengths_B.to(torch.float64)
    if normalisation == "token":
        return torch.ones_like(lengths_B) / lengths_B.sum()
    if normalisation == "sequence":
        return 1.0 / (lengths_B.clamp_min(1) * len(lengths_B))
    if constant is None or constant <= 0:
        raise ValueError(f"normalisation 'constant' needs a positive constant, found {constant}")
    return torch.full_like(lengths_B, 1.0 / (len(lengths_B) * constant))


def positive_weights(lengths_B: Tensor, rewards_B: Tensor) -> Tensor:
    """The weight of each token of a rollout in the mean negative log-likelihood of rewarded responses. Shape (B,).

    VAPO (2504.05118), equation 9: equal for all tokens of responses with a reward above 0, and 0 for the others; all
    are 0 where nothing is rewarded.
    """
    is_positive_B = (rewards_B > 0).to(torch.float64)
    return is_positive_B / (lengths_B * is_positive_B).sum().clamp_min(1)


def policy_loss(
    logprobs_N: Tensor,
    old_logprobs_N: Tensor,
    *,
    advantages_N: Tensor,
    weights_N: Tensor,
    clip_low: float,
    clip_high: float,
) -> PolicyLoss:
    """PPO's clipped objective, negated (Schulman et al. 2017, 1707.06347, equation 7).

    `clip_high` may differ from `clip_low`: clip-higher of DAPO (2503.14476).
    """
    log_ratio_N = logprobs_N - old_logprobs_N
    ratio_N = log_ratio_N.exp()
    free_N = ratio_N * advantages_N
    bounded_N = ratio_N.clamp(1 - clip_low, 1 + clip_high) * advantages_N
    return PolicyLoss(
        loss=-(torch.minimum(free_N, bounded_N) * weights_N).sum(),
        clipped=((bounded_N < free_N) * weights_N).sum().detach(),
        approximate_kl=((ratio_N - 1 - log_ratio_N) * weights_N).sum().detach(),
    )


def log_likelihood_loss(
    logprobs_N: Tensor,
    old_logprobs_N: Tensor,
    *,
    advantages_N: Tensor,
    weights_N: Tensor,
    clip_low: float,
    clip_high: float,
) -> PolicyLoss:
    """The negative log-likelihood of given answers, each token times its advantage: no ratio, nothing is clipped."""
    del old_logprobs_N, clip_low, clip_high
    none = logprobs_N.new_zeros(())
    return PolicyLoss(loss=-(advantages_N * logprobs_N * weights_N).sum(), clipped=none, approximate_kl=none)


def value_loss(
    values_N: Tensor, old_values_N: Tensor, *, returns_N: Tensor, weights_N: Tensor, clip: float | None
) -> Tensor:
    """Half the squared error; with `clip` the larger of it and that of the value within `clip` of the old one."""
    error_N = (values_N - returns_N) ** 2
    if clip is not None:
        kept_N = old_values_N + (values_N - old_values_N).clamp(-clip, clip)
        error_N = torch.maximum(error_N, (kept_N - returns_N) ** 2)
    return 0.5 * (error_N * weights_N).sum()


def kl_estimate(logprobs_N: Tensor, reference_logprobs_N: Tensor, *, estimator: KlEstimator) -> Tensor:
    """Per-token estimates of KL(policy || reference) from the policy's samples (Schulman 2020, "Approximating KL").

    All estimate the number; k3 is unbiased and never negative. Their gradient depends on whether they are used in
    the loss or, as a number, in the rewards: see docs/training.md.
    """
    log_ratio_N = logprobs_N - reference_logprobs_N
    if estimator == "k1":
        return log_ratio_N
    if estimator == "k2":
        return 0.5 * log_ratio_N**2
    return (-log_ratio_N).exp() - 1 + log_ratio_N


def top_reverse_kl(logprobs_NK: Tensor, teacher_logprobs_NK: Tensor) -> Tensor:
    """KL(policy || teacher) of the next token, among the teacher's K most probable tokens and the rest as one. (N,).

    A lower bound of that over the whole vocabulary, which it reaches where the rest is one token, or none. A rest below
    1e-6 counts as 1e-6: float32 knows it no better.
    """
    rest_N, teacher_rest_N = (
        (1 - each_NK.exp().sum(dim=-1)).clamp_min(_SMALLEST_REST) for each_NK in (logprobs_NK, teacher_logprobs_NK)
    )
    inside_N = (logprobs_NK.exp() * (logprobs_NK - teacher_logprobs_NK)).sum(dim=-1)
    return inside_N + rest_N * (rest_N.log() - teacher_rest_N.log())


def importance_weights(
    logprobs_N: Tensor, sampler_logprobs_N: Tensor, *, cap: float | None, band: Band | None = None
) -> Tensor:
    """Importance weights pi_trainer / pi_sampler, without a gradient.

    Truncated at `cap` (Yao et al. 2025), and 0 outside `band`, as in IcePop (Ring-1T, 2510.18855).
    """
    ratio_N = (logprobs_N - sampler_logprobs_N).detach().exp()
    weights_N = ratio_N if cap is None else ratio_N.clamp_max(cap)
    return weights_N if band is None else weights_N * inside(ratio_N, band)


def token_mask(logprobs_N: Tensor, sampler_logprobs_N: Tensor, *, band: Band) -> Tensor:
    """1 where pi_trainer / pi_sampler is in [low, high], else 0."""
    return inside((logprobs_N - sampler_logprobs_N).detach().exp(), band)


def sequence_mask(logprobs_BT: Tensor, sampler_logprobs_BT: Tensor, *, mask_BT: Tensor, band: Band) -> Tensor:
    """1 for responses whose tokens' ratios have a geometric mean in [low, high], else 0. Shape (B,)."""
    log_ratio_B = ((logprobs_BT - sampler_logprobs_BT) * mask_BT).sum(dim=1, dtype=torch.float64) / mask_BT.sum(dim=1)
    return inside(log_ratio_B.exp(), band).float()


def inside(ratios: Tensor, band: Band) -> Tensor:
    """1 for the ratios in [low, high], else 0."""
    low, high = band
    return ((ratios >= low) & (ratios <= high)).to(ratios.dtype)


def entropy(logits_NV: Tensor) -> Tensor:
    """Entropy of the distribution at each token, in nats. Shape (N,)."""
    logprobs_NV = torch.log_softmax(logits_NV.float(), dim=-1)
    return -(logprobs_NV.exp() * logprobs_NV).sum(dim=-1)
