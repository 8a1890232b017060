"""The fast fits and scans against plain least squares, one model at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.step_moment.noise import Noise, noise_model
from analysis.step_moment.proposals import line_cost, line_costs
from analysis.step_moment.segmented import Regression
from analysis.step_moment.shapes import EDGE, NUM_SHAPES, WIDTHS, Change, column, inner_products, squared_norms
from analysis.step_moment.trend import trend_families

Floats = NDArray[np.float64]
RNG = np.random.default_rng(5)
N = 90


def _noise(*, with_gap: bool = False, partial: tuple[float, ...] = (0.6, -0.2, 0.1)) -> Noise:
    ages = np.arange(N)
    if with_gap:
        ages = np.where(ages >= 40, ages - 40, ages)
    return noise_model(np.array(partial), spread=np.linspace(1, 2, N), ages=ages)


def _dense(noise: Noise) -> Floats:
    """The whitening matrix, column by column from its definition."""
    matrix = np.zeros((N, N))
    for t in range(N):
        for lag in range(min(noise.rows.shape[1], t + 1)):
            matrix[t, t - lag] = noise.rows[t, lag]
    return matrix


TIMES = [np.linspace(0, 1, N), np.sort(RNG.uniform(size=N))]


@pytest.mark.parametrize("time", TIMES, ids=["regular", "irregular"])
@pytest.mark.parametrize("partial", [(), (0.7,), (0.6, -0.2, 0.1)])
def test_inner_products_and_norms_of_every_shape_at_every_place(time: Floats, partial: tuple[float, ...]) -> None:
    noise = _noise(partial=partial, with_gap=True)
    x = RNG.standard_normal((N, 3))
    products, norms = inner_products(x, noise=noise, time=time), squared_norms(noise, time)
    matrix = _dense(noise)
    for shape in range(NUM_SHAPES):
        for at in range(N - max(WIDTHS)):
            whitened = matrix @ column(Change(at=at, shape=shape), time)
            np.testing.assert_allclose(products[shape, at], whitened @ x, atol=1e-9)
            np.testing.assert_allclose(norms[shape, at], whitened @ whitened, atol=1e-9)


@pytest.mark.parametrize("time", TIMES, ids=["regular", "irregular"])
@pytest.mark.parametrize("changes", [(), (Change(at=30, shape=0), Change(at=55, shape=4))])
def test_a_scan_equals_fitting_every_model(time: Floats, changes: tuple[Change, ...]) -> None:
    noise, families = _noise(), trend_families(time)
    values = RNG.standard_normal(N) + 3 * (time > 0.5)
    regression = Regression(time, values, noise=noise, families=families)
    matrix = _dense(noise)
    for family, trends in enumerate(families):
        scan = regression.scan(changes, family=family)
        for index, size in enumerate(trends.sizes):
            base = [trends.columns[:, :size], *(column(change, time)[:, None] for change in changes)]
            without = _rss(matrix, np.concatenate(base, axis=1), values)
            assert scan.rss[index] == pytest.approx(without)
            for shape in range(NUM_SHAPES):
                for at in range(EDGE, N - EDGE - max(WIDTHS), 7):
                    if Change(at=at, shape=shape) in changes:
                        continue
                    more = [*base, column(Change(at=at, shape=shape), time)[:, None]]
                    expected = without - _rss(matrix, np.concatenate(more, axis=1), values)
                    assert scan.gains[index, shape, at] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_best_addition_is_the_best_of_all_segmented_regressions() -> None:
    time = np.linspace(0, 1, N)
    values = RNG.standard_normal(N) + 2.5 * (np.arange(N) >= 48)
    regression = Regression(time, values, noise=_noise(partial=()), families=trend_families(time))
    matrix = _dense(regression.noise)
    found = regression.scan((), family=0).best_addition()
    every = {
        (size, Change(at=at, shape=shape)): N * np.log(_rss(matrix, _design(time, size, at, shape), values) / N)
        + 2 * size
        + regression.change_cost
        for size in regression.families[0].sizes
        for shape in range(NUM_SHAPES)
        for at in range(EDGE, N - EDGE)
        if at + [*WIDTHS, 1][shape] - 1 <= N - EDGE
    }
    size, change = min(every, key=lambda key: every[key])
    assert found.changes == (change,)
    assert regression.families[0].sizes[found.size] == size
    assert found.criterion == pytest.approx(every[size, change])


def test_the_cost_of_a_segment_is_that_of_its_line() -> None:
    time, values, noise = TIMES[1], RNG.standard_normal(N), _noise()
    sums = line_costs(values, time=time, noise=noise)
    matrix = _dense(noise)
    design = np.stack([matrix.sum(axis=1), matrix @ time], axis=1)
    for start, end in [(0, N), (10, 33), (80, 83)]:
        part = slice(start, end)
        expected = _residual_sum(design[part], (matrix @ values)[part])
        assert line_cost(sums, start, end) == pytest.approx(expected)
    assert line_cost(sums, 4, 5) == pytest.approx(0.0, abs=1e-9)


def _design(time: Floats, size: int, at: int, shape: int) -> Floats:
    trend = trend_families(time)[0].columns[:, :size]
    return np.concatenate([trend, column(Change(at=at, shape=shape), time)[:, None]], axis=1)


def _rss(matrix: Floats, design: Floats, values: Floats) -> float:
    return _residual_sum(matrix @ design, matrix @ values)


def _residual_sum(design: Floats, target: Floats) -> float:
    scale = np.sqrt((design**2).sum(axis=0))
    residuals = target - design / scale @ np.linalg.lstsq(design / scale, target, rcond=None)[0]
    return float(residuals @ residuals)
