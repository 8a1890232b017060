"""How far the weights that sampled a step are from those that learn it. B responses, T positions.

r is a token's log-ratio, trainer minus sampler; the tokens were drawn by the sampler. Blocks of rows are computed one
after the other, so that no float64 copy of a whole step exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor

from orz_rl.ppo.advantages import row_blocks
from orz_rl.ppo.losses import Band, inside, token_mask

_MOST = 20.0
"""The largest log-ratio of a response that counts: exp(2 * 20) is still a number to look at."""


class Masks(Protocol):
    """The part of the loss's settings that masks."""

    @property
    def importance_band(self) -> Band | None:
        """Of tokens."""
        ...

    @property
    def sequence_band(self) -> Band | None:
        """Of responses."""
        ...


@dataclass(frozen=True, slots=True)
class _Sums:
    """Over the tokens of each response, in float64."""

    log_ratio_B: Tensor
    excess_B: Tensor
    """Of exp(2 r) - 1."""
    weight_B: Tensor
    square_B: Tensor
    kept_B: Tensor
    """Tokens in loss.importance_band; all of them without one."""


def off_policy(
    logprobs_BT: Tensor, sampler_logprobs_BT: Tensor, *, mask_BT: Tensor, loss: Masks
) -> Iterator[tuple[str, float]]:
    """Metrics of responses beside those of tokens, and the shares that the loss masks."""
    blocks = row_blocks(mask_BT, logprobs_BT, sampler_logprobs_BT)
    parts = [_sums(mask, ours, sampler_RT=theirs, band=loss.importance_band) for mask, ours, theirs in blocks]
    sums = _Sums(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(_Sums)))
    lengths_B = mask_BT.sum(dim=1)
    num_tokens, gaps_B = float(lengths_B.sum()), 0 - sums.log_ratio_B / lengths_B
    yield "mismatch/log_ppl_gap", float(gaps_B.mean())
    yield "mismatch/log_ppl_gap_abs", float(gaps_B.abs().mean())
    yield "mismatch/log_ppl_gap_max", float(gaps_B.abs().max())
    yield "mismatch/chi2", float(sums.excess_B.sum()) / num_tokens
    yield "mismatch/chi2_sequence", float(torch.expm1(2 * sums.log_ratio_B.clamp(-_MOST, _MOST)).mean())
    yield "mismatch/effective_sample_size", float(sums.weight_B.sum() ** 2 / sums.square_B.sum()) / num_tokens
    kept_B = sums.kept_B
    if loss.sequence_band is not None:
        is_kept_B = inside((sums.log_ratio_B / lengths_B).exp(), loss.sequence_band)
        kept_B = kept_B * is_kept_B
        yield "policy/masked_responses", 1 - float(is_kept_B.mean())
    if loss.importance_band is not None or loss.sequence_band is not None:
        yield "policy/masked_tokens", 1 - float(kept_B.sum()) / num_tokens


def _sums(mask_RT: Tensor, logprobs_RT: Tensor, *, sampler_RT: Tensor, band: Band | None) -> _Sums:
    log_ratio_RT = (logprobs_RT - sampler_RT) * mask_RT
    kept_RT = mask_RT if band is None else mask_RT * token_mask(logprobs_RT, sampler_RT, band=band)
    exact_RT = log_ratio_RT.double()
    weight_RT = exact_RT.exp() * mask_RT
    terms = (exact_RT, torch.expm1(2 * exact_RT) * mask_RT, weight_RT, weight_RT**2, kept_RT)
    return _Sums(*(term.sum(dim=1, dtype=torch.float64) for term in terms))
