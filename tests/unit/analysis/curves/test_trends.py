"""Changes of curves: none in correlated noise, and the shapes that rewards have are found."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.curves.trends import changes


def ar1(rng: np.random.Generator, num: int, rho: float) -> np.ndarray:
    values = rng.standard_normal(num)
    for at in range(1, num):
        values[at] = rho * values[at - 1] + np.sqrt(1 - rho * rho) * values[at]
    return values


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.9])
def test_correlated_noise_is_not_a_change(rho: float) -> None:
    rng = np.random.default_rng(7)
    false = sum(changes(ar1(rng, 200, rho), ends=10) != 0 for _ in range(60))
    # 5 % of 60 is 3; the rule that takes steps for independent calls 36 of them changes at 0.8.
    assert false <= 6


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_slopes_of_three_standard_errors_are_found(rho: float) -> None:
    rng = np.random.default_rng(8)
    # Means of ten independent steps differ by 0.45 standard deviations; of correlated ones by less than 0.45 times
    # the root of (1 + rho) / (1 - rho).
    rise = 3 * 0.447 * np.sqrt((1 + rho) / (1 - rho)) * np.linspace(0, 1, 200)
    found = sum(changes(ar1(rng, 200, rho) + rise, ends=10) == 1 for _ in range(40))
    assert found >= 36


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "means",
    [
        np.repeat([0.0, 1.0], 50),
        1 - np.exp(-np.arange(100) / 8),
        np.clip((np.arange(100) - 30) / 20, 0, 1),
        0.28 + 0.65 * (1 - np.exp(-np.arange(40) / 8)),
    ],
)
def test_shapes_of_rewards_are_found(means: np.ndarray, sign: int) -> None:
    values = sign * means + 0.02 * ar1(np.random.default_rng(9), len(means), 0.5)
    assert changes(values, ends=round(len(means) / 10)) == sign


@pytest.mark.parametrize("num", [0, 1, 3, 4, 50])
@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_constants_do_not_change(num: int, level: float) -> None:
    assert changes(np.full(num, level), ends=1) == 0


def test_a_change_does_not_depend_on_the_unit() -> None:
    values = np.linspace(0, 4, 60) + ar1(np.random.default_rng(1), 60, 0.3)
    assert {changes(scale * values + shift, ends=6) for scale in (1e-6, 1.0, 1e6) for shift in (0.0, 5.0)} == {1}
