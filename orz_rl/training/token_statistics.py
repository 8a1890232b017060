"""Means over the response tokens of a step, of what is computed from tensors of shape (B, T).

Blocks of rows that fit a cache are computed one after the other: a float64 copy of a whole step never exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from orz_rl.ppo.advantages import row_blocks

Compute = Callable[..., Sequence[Tensor]]


def token_means(mask_BT: Tensor, *tensors_BT: Tensor, of: Compute = lambda *rows: rows) -> list[float]:
    """The mean over the tokens of the mask of each tensor that `of` makes from a block of rows, summed in float64.

    One pass over the step for all of them. `of` gets numbers that are finite wherever the tensors are.
    """
    totals: list[float] = []
    count = 0.0
    for mask_RT, *rows in row_blocks(mask_BT, *tensors_BT):
        sums = [_sum(each_RT * mask_RT) for each_RT in of(*rows)]
        totals = [total + one for total, one in zip(totals or [0.0] * len(sums), sums, strict=True)]
        count += _sum(mask_RT)
    return [total / count for total in totals]


def _sum(values: Tensor) -> float:
    return float(values.sum(dtype=torch.float64))
