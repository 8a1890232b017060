"""The losses of policy and critic on one pack, from a forward pass of the model. R: the response tokens of the pack."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from orz_rl.ppo.losses import importance_weights, kl_estimate, token_mask, top_reverse_kl, value_loss
from orz_rl.ppo.packed_forward import response_scores, response_values
from orz_rl.ppo.packs import Pack
from orz_rl.ppo.parts import OBJECTIVES
from orz_rl.ppo.token_head import TopTokens
from orz_rl.workers.messages import CriticPack, PolicyPack, PolicyTerms


class PackLoss(NamedTuple):
    """Loss and statistics of one pack."""

    total: Tensor
    clipped: Tensor
    kl: Tensor
    outputs_R: Tensor
    entropy_R: Tensor
    nll: Tensor | float = 0.0


def policy_pack_loss(model: Any, item: PolicyPack, *, terms: PolicyTerms, temperature: float) -> PackLoss:
    """The objective of sampled tokens with a KL term, or the reverse KL to a teacher's most probable tokens."""
    assert isinstance(item.pack, Pack)
    teacher = None if item.teacher_RT is None else TopTokens.unpacked(item.teacher_RT)
    logprobs_R, entropy_R, others_RK = response_scores(
        model,
        item.pack,
        temperature=temperature,
        with_entropy=True,
        others_RK=None if teacher is None else teacher.ids_RK,
    )
    assert entropy_R is not None
    old_R = logprobs_R.detach() if item.old_logprobs_R is None else item.old_logprobs_R
    weights_R, none = _corrected(item, old_R, terms=terms), torch.zeros(())
    if teacher is not None:
        total = (top_reverse_kl(others_RK, teacher.logprobs_RK) * weights_R).sum()
        return PackLoss(total, none, none, logprobs_R.detach(), entropy_R)
    surrogate = OBJECTIVES.load(terms.objective).compute(
        logprobs_R,
        item.sampler_logprobs_R if terms.clips_against_sampler else old_R,
        advantages_N=item.advantages_R,
        weights_N=weights_R,
        clip_low=terms.clip_low,
        clip_high=terms.clip_high,
    )
    total, kl = surrogate.loss, none
    if terms.kl_loss > 0:
        assert item.reference_logprobs_R is not None
        kl_R = kl_estimate(logprobs_R, item.reference_logprobs_R, estimator=terms.kl_estimator)
        kl = (kl_R * item.weights_R).sum()
        total = total + terms.kl_loss * kl
    nll = none
    if item.positive_R is not None:
        nll = -(logprobs_R * item.positive_R).sum()
        total = total + terms.positive_nll * nll
    return PackLoss(total, surrogate.clipped, kl.detach(), logprobs_R.detach(), entropy_R, nll.detach())


def critic_pack_loss(model: Any, item: CriticPack, *, clip: float | None) -> PackLoss:
    """The squared error of values."""
    assert isinstance(item.pack, Pack)
    values_R = response_values(model, item.pack)
    total = value_loss(values_R, item.old_values_R, returns_N=item.returns_R, weights_N=item.weights_R, clip=clip)
    moved_R = (values_R - item.old_values_R).detach().abs()
    clipped = torch.zeros(()) if clip is None else ((moved_R > clip) * item.weights_R).sum()
    return PackLoss(total, clipped, torch.zeros(()), values_R.detach(), torch.zeros(0))


def _corrected(item: PolicyPack, old_R: Tensor, *, terms: PolicyTerms) -> Tensor:
    """The weights of the tokens, with what corrects for other weights than the policy's in the sampler."""
    cap, band = terms.importance_cap, terms.importance_band
    if cap is None and band is None:
        return item.weights_R
    if not terms.clips_against_sampler:
        return item.weights_R * importance_weights(old_R, item.sampler_logprobs_R, cap=cap, band=band)
    assert band is not None
    return item.weights_R * token_mask(old_R, item.sampler_logprobs_R, band=band)
