"""The bootstrap: its blocks, its noise and the counting of its curves."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.curve import read_curve
from analysis.step_moment.scan import Search
from analysis.step_moment.shapes import Change, columns
from analysis.step_moment.significance import NUM_SIMULATIONS, block_bootstrap, p_value, simulated_curves

N = 80
JUMP = Change(at=40, shape=0)


def _search(height: float, *, seed: int = 0) -> Search:
    values = height * (np.arange(N) >= 40) + np.random.default_rng(seed).normal(size=N)
    return Search(read_curve(np.arange(N), values, metric="m"), cost=2.5)


@pytest.mark.parametrize(("n", "length"), [(64, 8), (125, 10), (1000, 20)])
def test_a_bootstrap_consists_of_circular_blocks(n: int, length: int) -> None:
    """Of the observations' numbers: each is one more than that before it but at every `length`-th."""
    series = block_bootstrap(np.arange(n, dtype=float), num=50, seed=0)
    assert series.shape == (n, 50)
    is_next = np.diff(series, axis=0) % n == 1
    begins = np.arange(1, n) % length == 0
    assert is_next[~begins].all()
    assert is_next[begins].mean() < 0.1
    assert len(np.unique(series)) == n
    assert (block_bootstrap(np.arange(n, dtype=float), num=50, seed=0) == series).all()


def test_simulated_noise_is_the_whitened_residuals_with_the_spread_of_their_degrees_of_freedom() -> None:
    search = _search(5.0)
    model = search.model((JUMP,))
    background, design = model.background, columns((JUMP,), search.curve.time)
    weighed = background.weigh(np.column_stack([search.values, design]))
    left = search.values - design @ np.linalg.solve(design.T @ weighed[:, 1:], design.T @ weighed[:, 0])
    trend = background.trend(left)
    white = background.noise.whiten(left - trend)
    spread = np.sqrt(left @ background.weigh(left) / (N - 2 - 1))
    curves = simulated_curves(search, model, seed=0)
    drawn = background.noise.whiten(curves - trend[:, None])
    assert np.unique(drawn.round(6)) == pytest.approx(
        np.unique(((white - white.mean()) / white.std() * spread).round(6)), abs=2e-6
    )


def test_a_p_value_is_the_share_of_simulated_curves_with_as_large_a_gain() -> None:
    """Counted here one curve at a time, by the F statistic of the best change in each."""
    search = _search(1.2)
    null = search.model(())
    scan = search.scan(null.background, ())
    curves = simulated_curves(search, null, seed=3)
    gains, squares = scan.gains(search.values)
    observed = gains[JUMP.shape, JUMP.at] / (squares - gains[JUMP.shape, JUMP.at])
    as_large = 0
    for curve in curves.T:
        gains, squares = scan.gains(curve)
        as_large += bool(gains.max() / (squares - gains.max()) >= observed)
    assert 5 < as_large < NUM_SIMULATIONS - 5
    assert p_value(search, search.model((JUMP,)), change=JUMP, seed=3) == (1 + as_large) / 500


def test_a_change_without_any_gain_has_p_1() -> None:
    search = _search(2.0)
    impossible = Change(at=1, shape=0)
    assert p_value(search, search.model((JUMP,)), change=impossible, seed=0) == 1
