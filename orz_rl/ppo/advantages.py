"""Advantages of sampled tokens: GAE with a critic, group and batch baselines without one.

B rollouts, T response positions (right-padded), G rollouts a group. `mask_BT` is 1 on response tokens, from position 0
on without gaps. Results are 0 wherever the mask is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

_BLOCK = 64
_BLOCK_ELEMENTS = 2**16
_EPSILON = 1e-8


def gae(rewards_BT: Tensor, values_BT: Tensor, *, mask_BT: Tensor, gamma: float, gae_lambda: float | Tensor) -> Tensor:
    """Generalised advantages: the sum over l of (gamma lambda)^l delta_{t+l}, delta_t = r_t + gamma V_{t+1} - V_t.

    Schulman et al. 2016 (1506.02438), equation 16; the value after the last token is 0. With gamma = lambda = 1 it
    is the return minus the value. `gae_lambda`: one for all rollouts, or of shape (B,). Shape (B, T).
    """
    found, start = [], 0
    for mask_RT, rewards_RT, values_RT in row_blocks(mask_BT, rewards_BT, values_BT):
        deltas_RT = _deltas(rewards_RT, values_RT * mask_RT, gamma=gamma) * mask_RT
        end = start + len(mask_RT)
        lam = gae_lambda[start:end] if isinstance(gae_lambda, Tensor) else gae_lambda
        found.append(discounted_sums(deltas_RT, gamma * lam) * mask_RT)
        start = end
    return from_blocks(found, like_BT=mask_BT)


def length_adaptive_lambda(lengths_B: Tensor, alpha: float) -> Tensor:
    """1 - 1 / (alpha l) of a response of l tokens, so that the weights of its TD errors sum to about alpha l.

    VAPO (2504.05118), equation 5; 0 for responses of fewer than 1 / alpha tokens. Shape (B,), in float64.
    """
    return (1 - 1 / (alpha * lengths_B.double().clamp_min(1))).clamp_min(0)


def _deltas(rewards_RT: Tensor, values_RT: Tensor, *, gamma: float) -> Tensor:
    next_values_RT = torch.cat([values_RT[:, 1:], torch.zeros_like(values_RT[:, :1])], dim=1)
    return rewards_RT + gamma * next_values_RT - values_RT


def discounted_sums(x_BT: Tensor, discount: float | Tensor) -> Tensor:
    """y_t = x_t + discount y_{t+1}, from the end of each row, by one discount or one for each row. Shape (B, T).

    A blockwise scan: a product with a triangular matrix of powers inside each block, then the same for the first
    elements of the blocks. Powers stay in [0, 1], so nothing overflows however long the rows are.
    """
    num_rows, length = x_BT.shape
    if length <= _BLOCK:
        return (x_BT[:, None] @ _powers(length, discount, like=x_BT))[:, 0]
    padding = -length % _BLOCK
    blocks_BNK = torch.nn.functional.pad(x_BT, (0, padding)).reshape(num_rows, -1, _BLOCK)
    inside_BNK = blocks_BNK @ _powers(_BLOCK, discount, like=x_BT)
    starts_BN = discounted_sums(inside_BNK[:, :, 0], discount**_BLOCK)
    carry_BN = torch.cat([starts_BN[:, 1:], torch.zeros_like(starts_BN[:, :1])], dim=1)
    each = discount.to(x_BT)[:, None, None] if isinstance(discount, Tensor) else discount
    decay = each ** torch.arange(_BLOCK, 0, -1, dtype=x_BT.dtype, device=x_BT.device)
    return (inside_BNK + carry_BN[:, :, None] * decay).reshape(num_rows, -1)[:, :length]


def whiten(advantages_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean 0 and (biased) standard deviation 1 over all response tokens of the batch, weighted equally."""
    blocks = list(row_blocks(mask_BT, advantages_BT))
    count = _total(mask_RT.sum() for mask_RT, _ in blocks)
    mean = _total((rows_RT * mask_RT).sum() for mask_RT, rows_RT in blocks) / count
    centred = [(rows_RT - mean) * mask_RT for mask_RT, rows_RT in blocks]
    deviation = (_total((rows_RT**2).sum() for rows_RT in centred) / count + _EPSILON).sqrt()
    return from_blocks((rows_RT.div_(deviation) for rows_RT in centred), like_BT=mask_BT)


def row_blocks(mask_BT: Tensor, *tensors_BT: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of all tensors, up to the last response token in them.

    So few at a time that what is computed from them stays in a processor's cache.
    """
    size = max(1, _BLOCK_ELEMENTS // max(1, mask_BT.shape[1]))
    for mask_RT, *others in zip(mask_BT.split(size), *(each_BT.split(size) for each_BT in tensors_BT), strict=True):
        places = np.flatnonzero(mask_RT.numpy().any(axis=0))  # torch's own takes three times as long
        width = int(places[-1]) + 1 if len(places) else 0
        yield mask_RT[:, :width], *(each_RT[:, :width] for each_RT in others)


def from_blocks(blocks: Iterable[Tensor], *, like_BT: Tensor) -> Tensor:
    """The inverse, 0 elsewhere."""
    out_BT, start = torch.zeros_like(like_BT), 0
    for block_RT in blocks:
        out_BT[start : start + len(block_RT), : block_RT.shape[1]] = block_RT
        start += len(block_RT)
    return out_BT


def _total(sums: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(sums)).sum()


def group_centred(rewards_B: Tensor, group_B: Tensor) -> Tensor:
    """Reward minus the mean of its group: the advantage of Dr.GRPO (Liu et al. 2025, 2503.20783). Shape (B,)."""
    return rewards_B - _group_mean(rewards_B, group_B)


def grpo(rewards_B: Tensor, group_B: Tensor) -> Tensor:
    """Reward minus the mean of its group, over the group's deviation (Shao et al. 2024, 2402.03300). Shape (B,).

    The deviation is the unbiased one; if all rewards of a group are equal, the advantage is 0.
    """
    centred_B = group_centred(rewards_B, group_B)
    size_B = _group_sum(torch.ones_like(rewards_B), group_B)
    variance_B = _group_sum(centred_B**2, group_B) / (size_B - 1).clamp_min(1)
    return torch.where(variance_B > _EPSILON, centred_B / (variance_B + _EPSILON).sqrt(), torch.zeros_like(centred_B))


def rloo(rewards_B: Tensor, group_B: Tensor) -> Tensor:
    """Reward minus the mean of the others in its group (Ahmadian et al. 2024, 2402.14740), 0 without others."""
    size_B = _group_sum(torch.ones_like(rewards_B), group_B)
    return group_centred(rewards_B, group_B) * size_B / (size_B - 1).clamp_min(1)


def spread_over_tokens(advantages_B: Tensor, mask_BT: Tensor) -> Tensor:
    """The same advantage on every token of a rollout. Shape (B, T)."""
    return advantages_B[:, None] * mask_BT


def _powers(length: int, discount: float | Tensor, *, like: Tensor) -> Tensor:
    """M with M[s, t] = discount^(s - t) for s >= t, so that (x M)_t is the discounted sum from t on; one for each row
    where the rows have discounts of their own.
    """
    position = torch.arange(length, device=like.device)
    exponent = position[:, None] - position[None, :]
    base = torch.as_tensor(discount, dtype=like.dtype, device=like.device)
    powers = (base[:, None, None] if base.dim() else base) ** exponent.clamp_min(0)
    return powers * (exponent >= 0)


def _group_sum(x_B: Tensor, group_B: Tensor) -> Tensor:
    _, index_B = torch.unique(group_B, return_inverse=True)
    return torch.zeros(int(index_B.max()) + 1, dtype=x_B.dtype, device=x_B.device).index_add_(0, index_B, x_B)[index_B]


def _group_mean(x_B: Tensor, group_B: Tensor) -> Tensor:
    return _group_sum(x_B, group_B) / _group_sum(torch.ones_like(x_B), group_B)
