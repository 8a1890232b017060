"""The background against its definition as one dense Gaussian."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.background import Background, Backgrounds
from analysis.step_moment.curve import read_curve
from analysis.step_moment.noise import Noise

RNG = np.random.default_rng(0)
STEPS = np.cumsum(RNG.integers(1, 4, 70)).astype(float)
VALUES = RNG.normal(size=70)


def _dense(noise: Noise) -> np.ndarray:
    distances = np.abs(noise.time[:, None] - noise.time)
    return np.asarray(np.outer(noise.scale, noise.scale) * noise.correlation**distances)


def test_noise_is_an_autoregression_at_any_distances() -> None:
    noise = Noise(STEPS, RNG.uniform(0.5, 2, 70), 0.6)
    assert noise.weigh(np.eye(70)) == pytest.approx(np.linalg.inv(_dense(noise)), abs=1e-9)
    assert noise.weigh(VALUES) == pytest.approx(np.linalg.solve(_dense(noise), VALUES))
    assert noise.log_determinant == pytest.approx(np.linalg.slogdet(_dense(noise))[1])
    white = RNG.normal(size=(70, 3))
    assert noise.whiten(noise.colour(white)) == pytest.approx(white)
    covariance = noise.colour(np.eye(70)) @ noise.colour(np.eye(70)).T
    assert covariance == pytest.approx(_dense(noise))


def _prior(background: Background) -> tuple[np.ndarray, np.ndarray]:
    """(covariance of the trend but for its line, the line (n, 2))."""
    size = background.splines.shape[1]
    bends = np.diff(np.eye(size), 2, axis=0)
    bent = background.splines @ np.linalg.pinv(background.penalty * bends.T @ bends) @ background.splines.T
    return bent, background.splines @ _line(size)


def _line(size: int) -> np.ndarray:
    return np.stack([np.ones(size), np.arange(size)], axis=1)


@pytest.mark.parametrize(("noise", "trend"), [(0, 0), (3, 8), (8, 20), (5, 34)])
def test_weighing_is_that_of_a_gaussian_with_a_free_line(noise: int, trend: int) -> None:
    background = Backgrounds(read_curve(STEPS, VALUES, metric="m")).at(noise, trend)
    bent, line = _prior(background)
    inverse = np.linalg.inv(_dense(background.noise) + bent)
    weighed_line = inverse @ line
    dense = inverse - weighed_line @ np.linalg.solve(line.T @ weighed_line, weighed_line.T)
    assert background.weigh(VALUES) == pytest.approx(dense @ VALUES, abs=1e-5 * np.abs(dense).max())
    assert background.weigh(line) == pytest.approx(0, abs=1e-6)
    assert background.trend(VALUES) == pytest.approx(VALUES - _dense(background.noise) @ background.weigh(VALUES))


def test_likelihood_differs_between_backgrounds_as_the_dense_one_does() -> None:
    """REML (Harville 1974) without the line, whose coefficients are the null space of the prior."""
    backgrounds = Backgrounds(read_curve(STEPS, VALUES, metric="m"))
    ours, dense = [], []
    for noise, trend in [(0, 0), (4, 9), (8, 30), (2, 25)]:
        background = backgrounds.at(noise, trend)
        bent, line = _prior(background)
        covariance = _dense(background.noise) + bent
        size = background.splines.shape[1]
        bends = np.diff(np.eye(size), 2, axis=0)
        unit = np.linalg.slogdet(bends @ bends.T)[1] - np.linalg.slogdet(_line(size).T @ _line(size))[1]
        line_information = np.linalg.slogdet(line.T @ np.linalg.solve(covariance, line))[1]
        ours.append(background.log_determinant)
        dense.append(np.linalg.slogdet(covariance)[1] + line_information + unit)
    assert np.array(ours) - ours[0] == pytest.approx(np.array(dense) - dense[0], abs=1e-3)


def test_fit_finds_the_largest_likelihood_of_the_grid() -> None:
    curve = read_curve(np.arange(200.0), np.sin(np.arange(200) / 40) * 3 + RNG.normal(size=200), metric="m")
    backgrounds = Backgrounds(curve)
    best, loss = backgrounds.fit(curve.values, np.zeros((200, 0)))
    assert loss == pytest.approx(
        198 * np.log(curve.values @ best.weigh(curve.values) / 198) + best.log_determinant, abs=1e-6
    )
    assert best.noise.correlation <= 0.2
    assert np.abs(best.trend(curve.values) - np.sin(np.arange(200) / 40) * 3).mean() < 0.25


def test_trends_are_smooth_at_any_strength() -> None:
    """A jump of 1,000 noise deviations is not followed: the knots, not the penalty, limit the trend."""
    curve = read_curve(np.arange(240.0), 1000.0 * (np.arange(240) >= 120) + RNG.normal(size=240), metric="m")
    best, _ = Backgrounds(curve).fit(curve.values, np.zeros((240, 0)))
    assert np.abs(curve.values - best.trend(curve.values))[115:125].mean() > 100
