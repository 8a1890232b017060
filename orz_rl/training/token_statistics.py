"""Means and maxima over the response tokens of a step, of what is computed from tensors of shape (B, T).

Blocks of rows that fit a cache are computed one after the other: a float64 copy of a whole step never exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from orz_rl.ppo.advantages import row_blocks

Compute = Callable[..., Any]


def token_mean(mask_BT: Tensor, *tensors_BT: Tensor, of: Compute = lambda values_BT: values_BT) -> float:
    """The mean of `of(*tensors_BT)` over the tokens of the mask, in float64."""
    total = count = 0.0
    for mask_RT, *rows in row_blocks(mask_BT, *tensors_BT):
        total += _sum(of(*rows) * mask_RT)
        count += _sum(mask_RT)
    return total / count


def token_variance(mask_BT: Tensor, *tensors_BT: Tensor, of: Compute = lambda values_BT: values_BT) -> float:
    """The (biased) variance of the same."""
    mean = token_mean(mask_BT, *tensors_BT, of=of)
    return token_mean(mask_BT, *tensors_BT, of=lambda *rows: (of(*rows).double() - mean) ** 2)


def maximum(mask_BT: Tensor, *tensors_BT: Tensor, of: Compute) -> float:
    """The maximum of `of(*tensors_BT)` over the tokens of the mask."""
    blocks = row_blocks(mask_BT, *tensors_BT)
    return max(float(of(*rows).masked_fill(mask_RT == 0, -torch.inf).max()) for mask_RT, *rows in blocks)


def _sum(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))
