"""How far the weights that sampled a step are from those that learn it. B responses, T positions.

r is a token's log-ratio, trainer minus sampler; the tokens were drawn by the sampler. A step is read once, in blocks
of rows, so that no float64 copy of all of it exists.
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
    """Of r."""
    distance_B: Tensor
    """Of |r|."""
    excess_B: Tensor
    """Of exp(r) - 1."""
    square_B: Tensor
    """Of its square."""
    kept_B: Tensor
    """Tokens in loss.importance_band; all of them without one."""
    highest_B: Tensor
    """The largest r, not a sum."""
    lowest_B: Tensor
    """The smallest r, or 0."""


def off_policy(
    logprobs_BT: Tensor, sampler_logprobs_BT: Tensor, *, mask_BT: Tensor, loss: Masks
) -> Iterator[tuple[str, float]]:
    """Metrics of tokens and of responses, and the shares that the loss masks."""
    blocks = row_blocks(mask_BT, logprobs_BT, sampler_logprobs_BT)
    parts = [_sums(mask, ours, sampler_RT=theirs, band=loss.importance_band) for mask, ours, theirs in blocks]
    sums = _Sums(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(_Sums)))
    lengths_B = mask_BT.sum(dim=1)
    num_tokens, gaps_B = float(lengths_B.sum()), 0 - sums.log_ratio_B / lengths_B
    excess, square = float(sums.excess_B.sum()), float(sums.square_B.sum())
    highest, lowest = sums.highest_B.max(), sums.lowest_B.min()
    yield "mismatch/logprob_abs_mean", float(sums.distance_B.sum()) / num_tokens
    yield "mismatch/logprob_abs_max", float(torch.maximum(highest, -lowest))
    yield "mismatch/kl", (excess - float(sums.log_ratio_B.sum())) / num_tokens
    yield "mismatch/ratio_max", float(highest.exp())
    yield "mismatch/log_ppl_gap", float(gaps_B.mean())
    yield "mismatch/log_ppl_gap_abs", float(gaps_B.abs().mean())
    yield "mismatch/log_ppl_gap_max", float(gaps_B.abs().max())
    yield "mismatch/chi2", (square + 2 * excess) / num_tokens
    yield "mismatch/chi2_sequence", float(torch.expm1(2 * sums.log_ratio_B.clamp(-_MOST, _MOST)).mean())
    weight = num_tokens + excess
    yield "mismatch/effective_sample_size", weight**2 / (num_tokens + 2 * excess + square) / num_tokens
    kept_B = sums.kept_B
    if loss.sequence_band is not None:
        is_kept_B = inside((sums.log_ratio_B / lengths_B).exp(), loss.sequence_band)
        kept_B = kept_B * is_kept_B
        yield "policy/masked_responses", 1 - float(is_kept_B.mean())
    if loss.importance_band is not None or loss.sequence_band is not None:
        yield "policy/masked_tokens", 1 - float(kept_B.sum()) / num_tokens


def _sums(mask_RT: Tensor, logprobs_RT: Tensor, *, sampler_RT: Tensor, band: Band | None) -> _Sums:
    # Infinite numbers beyond a response would spoil a sum; there r is 0, and so is all that is summed.
    log_ratio_RT = (logprobs_RT - sampler_RT).masked_fill_(mask_RT == 0, 0.0)
    kept_RT = mask_RT if band is None else mask_RT * token_mask(logprobs_RT, sampler_RT, band=band)
    highest_R = log_ratio_RT.masked_fill(mask_RT == 0, -torch.inf).amax(dim=1)
    exact_RT = log_ratio_RT.double()
    excess_RT = torch.expm1(exact_RT)
    return _Sums(
        log_ratio_B=exact_RT.sum(dim=1),
        distance_B=exact_RT.abs().sum(dim=1),
        excess_B=excess_RT.sum(dim=1),
        square_B=torch.linalg.vecdot(excess_RT, excess_RT),
        kept_B=kept_RT.sum(dim=1, dtype=torch.float64),
        highest_B=highest_R.double(),
        lowest_B=exact_RT.amin(dim=1),
    )
