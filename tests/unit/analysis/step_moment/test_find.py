"""What is found in curves whose breaks are known; how often, over many, is in benchmarks/step_moments.py."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.breaks import Break
from analysis.step_moment.find import SHORTEST_CURVE, find_breaks
from orz_bench.errors import DataError

STEPS = np.arange(300.0)


def _noise(seed: int, n: int = 300, correlation: float = 0.0) -> np.ndarray:
    white = np.random.default_rng(seed).normal(size=n)
    for at in range(1, n):
        white[at] = correlation * white[at - 1] + np.sqrt(1 - correlation**2) * white[at]
    return white


def _only(breaks: list[Break]) -> Break:
    (found,) = breaks
    return found


def test_a_jump_on_a_trend() -> None:
    found = _only(
        find_breaks(STEPS, 8 * np.log1p(STEPS / 60) + 5 * (STEPS >= 180) + _noise(0, correlation=0.3), metric="m")
    )
    assert (found.metric, found.kind, found.rebound) == ("m", "level", False)
    assert found.step == pytest.approx(180, abs=3)
    assert found.low <= 180 <= found.high
    assert found.size == pytest.approx(5, abs=1)
    assert found.p_value == pytest.approx(0.002)


def test_a_fall_over_ten_steps() -> None:
    found = _only(find_breaks(STEPS, -6 * np.clip((STEPS - 95) / 10, 0, 1) + _noise(1)))
    assert found.kind == "level"
    assert found.size == pytest.approx(-6, abs=1)
    assert found.step == pytest.approx(100, abs=3)


def test_a_change_of_slope_is_in_units_a_step() -> None:
    steps = 10 * STEPS
    found = _only(find_breaks(steps, 0.02 * np.maximum(steps - 1500, 0) + _noise(2)))
    assert found.kind == "slope"
    assert found.size == pytest.approx(0.02, rel=0.2)
    assert found.step == pytest.approx(1500, abs=200)
    assert found.low < found.step < found.high


def test_several_breaks_and_a_rebound() -> None:
    values = 6.0 * (STEPS >= 60) - 6.0 * (STEPS >= 130) + 5.0 * (STEPS >= 200) + _noise(3)
    breaks = find_breaks(STEPS, values)
    assert [round(one.size / 5) for one in breaks] == [1, -1, 1]
    assert [one.rebound for one in breaks] == [False, False, True]
    assert [one.step for one in breaks] == pytest.approx([60, 130, 200], abs=4)


@pytest.mark.parametrize(
    "trend",
    [
        np.zeros(300),
        STEPS / 15,
        20 / (1 + np.exp(-(STEPS - 150) / 20)),
        15 * (1 - np.exp(-STEPS / 50)),
        10 * np.exp(-0.5 * ((STEPS - 150) / 50) ** 2),
    ],
    ids=["flat", "line", "sigmoid", "saturating", "hump"],
)
def test_smooth_trends_have_no_step_moment(trend: np.ndarray) -> None:
    assert find_breaks(STEPS, trend + _noise(4, correlation=0.3)) == []


def test_an_outlier_is_not_a_break() -> None:
    values = _noise(5)
    values[150:153] += 15
    assert find_breaks(STEPS, values) == []


def test_what_is_not_observed() -> None:
    values = 5.0 * (STEPS >= 150) + _noise(6)
    values[::7] = np.nan
    assert _only(find_breaks(STEPS, values)).step == pytest.approx(150, abs=4)


def test_short_and_constant_curves_claim_nothing() -> None:
    short = np.arange(SHORTEST_CURVE - 1.0)
    assert find_breaks(short, 100.0 * (short > 30)) == []
    assert find_breaks(STEPS, np.ones(300)) == []
    assert find_breaks([], []) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values",
    [
        np.where(STEPS < 200, 0, np.random.default_rng(0).random(300)),
        (np.random.default_rng(1).random(300) < 0.05).astype(float),
        np.round(np.random.default_rng(2).normal(size=300)),
        np.where(STEPS % 2 == 0, 0.0, 1.0),
        1e-12 * np.random.default_rng(3).normal(size=300),
    ],
    ids=["nothing, then noise", "rare spikes", "whole numbers", "two values in turn", "tiny"],
)
def test_odd_curves_break_nothing(values: np.ndarray) -> None:
    assert all(
        found.kind == "level" and found.step == pytest.approx(200, abs=3) for found in find_breaks(STEPS, values)
    )


def test_a_jump_without_any_noise() -> None:
    assert _only(find_breaks(STEPS, 1.0 * (STEPS >= 100))).step == pytest.approx(99.5, abs=1)


def test_the_seed_decides() -> None:
    values = 2.0 * (STEPS >= 150) + _noise(7)
    assert find_breaks(STEPS, values, seed=1) == find_breaks(STEPS, values, seed=1)


def test_units_do_not_matter() -> None:
    values = 3.0 * (STEPS >= 150) + _noise(8)
    plain, scaled = _only(find_breaks(STEPS, values)), _only(find_breaks(STEPS, 1e-6 * values - 40))
    assert (scaled.step, scaled.p_value) == (plain.step, plain.p_value)
    assert scaled.size == pytest.approx(1e-6 * plain.size)


def test_bad_input() -> None:
    with pytest.raises(DataError, match="steps of shape"):
        find_breaks([1, 2], [1, 2, 3], metric="m")
    with pytest.raises(DataError, match="m: step 2 at row 2 is not greater"):
        find_breaks([1, 3, 2], [1, 2, 3], metric="m")
