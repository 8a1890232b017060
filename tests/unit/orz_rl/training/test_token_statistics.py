"""Statistics over blocks of rows are those over all rows at once."""

from __future__ import annotations

import pytest
import torch

from orz_rl.ppo.advantages import from_blocks, gae, row_blocks, whiten
from orz_rl.training.token_statistics import token_means

ROWS, WIDTH = 700, 1000
"""More numbers than one block has."""


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, WIDTH + 1, (ROWS,), generator=generator)
    mask = (torch.arange(WIDTH) < lengths[:, None]).float()
    return mask, torch.randn(ROWS, WIDTH, generator=generator) * mask + 3


def test_there_is_more_than_one_block() -> None:
    mask, values = tensors()
    blocks = list(row_blocks(mask, values))
    assert len(blocks) > 2
    assert {block.shape[1] for block, _ in blocks} > {WIDTH}
    assert torch.equal(from_blocks((part * rows for part, rows in blocks), like_BT=mask), values * mask)


def test_means_are_those_of_the_whole() -> None:
    mask, values = tensors()
    chosen = values[mask.bool()].double()
    (plain,) = token_means(mask, values)
    assert plain == pytest.approx(float(chosen.mean()), rel=1e-12)
    square, size = token_means(mask, values, of=lambda rows: (rows.double() ** 2, rows.abs()))
    assert square == pytest.approx(float((chosen**2).mean()), rel=1e-12)
    assert size == pytest.approx(float(chosen.abs().mean()), rel=1e-12)


def test_advantages_and_whitening_are_those_of_the_whole() -> None:
    mask, values = tensors()
    rewards = torch.zeros_like(mask)
    found = gae(rewards, values, mask_BT=mask, gamma=1.0, gae_lambda=0.9)
    rows = [
        gae(rewards[at : at + 1], values[at : at + 1], mask_BT=mask[at : at + 1], gamma=1.0, gae_lambda=0.9)
        for at in range(0, ROWS, 97)
    ]
    assert torch.allclose(found[::97], torch.cat(rows), atol=1e-5)
    white = whiten(found, mask)[mask.bool()].double()
    assert float(white.mean()) == pytest.approx(0, abs=1e-6)
    assert float(white.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert torch.equal(whiten(found, mask) == 0, mask == 0)
