"""Each measure of how far sampler and trainer are from one another equals its formula, written with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orz_rl.config import LossConfig
from orz_rl.training.off_policy import off_policy

LENGTHS = (1, 7, 4, 5, 3)


@pytest.mark.parametrize("scale", [1e-7, 0.02, 0.4, 30.0])
def test_every_metric_is_its_formula(scale: float) -> None:
    """Tiny gaps as of a float32 sampler, gaps of stale weights, and ratios whose product overflows."""
    draw = np.random.default_rng(3)
    width = max(LENGTHS)
    mask = (np.arange(width) < np.array(LENGTHS)[:, None]).astype(np.float32)
    sampler = (-2 * draw.random(mask.shape)).astype(np.float32)
    trainer = (sampler + scale * draw.standard_normal(mask.shape)).astype(np.float32)
    loss = LossConfig(importance_band=(0.9, 1.05), sequence_band=(0.97, 1.02))
    beyond = np.where(mask == 1, trainer, np.float32(1e3))  # what stands beyond a response must not matter
    found = dict(off_policy(*map(torch.from_numpy, (beyond, sampler)), mask_BT=torch.from_numpy(mask), loss=loss))

    rows = [(trainer - sampler)[index, :length].astype(np.float64) for index, length in enumerate(LENGTHS)]
    tokens = np.concatenate(rows)
    gaps = np.array([-row.mean() for row in rows])
    totals = np.array([row.sum() for row in rows])
    weights = np.exp(tokens)
    is_kept = np.array([0.97 <= np.exp(row.mean()) <= 1.02 for row in rows])
    kept = [(np.exp(row) >= 0.9) & (np.exp(row) <= 1.05) & stays for row, stays in zip(rows, is_kept, strict=True)]
    wanted = {
        "mismatch/logprob_abs_mean": np.abs(tokens).mean(),
        "mismatch/logprob_abs_max": np.abs(tokens).max(),
        "mismatch/kl": (np.expm1(tokens) - tokens).mean(),
        "mismatch/ratio_max": weights.max(),
        "mismatch/log_ppl_gap": gaps.mean(),
        "mismatch/log_ppl_gap_abs": np.abs(gaps).mean(),
        "mismatch/log_ppl_gap_max": np.abs(gaps).max(),
        "mismatch/chi2": np.expm1(2 * tokens).mean(),
        "mismatch/chi2_sequence": np.expm1(2 * np.clip(totals, -20, 20)).mean(),
        "mismatch/effective_sample_size": weights.sum() ** 2 / (len(weights) * (weights**2).sum()),
        "policy/masked_responses": 1 - is_kept.mean(),
        "policy/masked_tokens": 1 - np.concatenate(kept).mean(),
    }
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_ratio_is_one_of_a_token_even_if_all_are_small(sign: float) -> None:
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    trainer = torch.tensor([[-1.0, -2.0, 9.0], [-1.5, -9.0, 9.0]])
    found = dict(off_policy(trainer, trainer - sign / 2 * mask, mask_BT=mask, loss=LossConfig()))
    assert found["mismatch/ratio_max"] == pytest.approx(float(np.exp(sign / 2)))
    assert found["mismatch/logprob_abs_max"] == 0.5


def test_nothing_is_masked_without_a_band() -> None:
    ones = torch.ones(2, 3)
    found = dict(off_policy(-ones, -ones, mask_BT=ones, loss=LossConfig()))
    assert not [name for name in found if "masked" in name]
    assert found["mismatch/effective_sample_size"] == 1.0
    assert found["mismatch/chi2"] == found["mismatch/chi2_sequence"] == found["mismatch/log_ppl_gap"] == 0.0
