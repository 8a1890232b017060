"""Intervals of breaks against a profile likelihood with one regression a place; rebounds by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.step_moment.breaks import Break
from analysis.step_moment.curve import read_curve
from analysis.step_moment.measure import is_rebound, measure
from analysis.step_moment.scan import Model, Search
from analysis.step_moment.shapes import SLOPE, WIDTHS, Change, allowed, columns

N = 80
STEPS: np.ndarray = 10.0 * np.arange(N)
OTHER = Change(at=62, shape=0)


def _measured(values: np.ndarray, changes: tuple[Change, ...]) -> tuple[Search, Model, list[Break]]:
    search = Search(read_curve(STEPS, values, metric="m"), cost=2.5)
    model = Model(changes=changes, background=search.backgrounds.at(0, 3), criterion=0.0)
    return search, model, measure(search, model, p_values={changes[0]: 0.01})


def _left(search: Search, model: Model, changes: tuple[Change, ...]) -> float:
    """The weighted sum of squares that these changes leave."""
    design = columns(changes, search.curve.time)
    weighed = model.background.weigh(np.column_stack([search.values, design]))
    gram = np.column_stack([search.values, design]).T @ weighed
    return float(gram[0, 0] - gram[0, 1:] @ np.linalg.solve(gram[1:, 1:], gram[1:, 0]))


def _profile_interval(search: Search, model: Model, change: Change) -> tuple[float, float]:
    bound = 1.96**2 if change.shape == SLOPE else -2 * np.log(1 - np.sqrt(0.95))
    best = _left(search, model, (change, OTHER))
    likely = {change}
    for way in (-1, 1):
        place = replace(change, at=change.at + way)
        while allowed(N, (OTHER,))[place.shape, place.at]:
            if (N - 2 - 2) * np.log(_left(search, model, (place, OTHER)) / best) > bound:
                break
            likely.add(place)
            place = replace(place, at=place.at + way)
    return 10 * min(likely).middle, 10 * max(likely).middle


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [0, 2, SLOPE])
def test_an_interval_holds_the_places_that_the_likelihood_ratio_does_not_rule_out(seed: int, shape: int) -> None:
    change = Change(at=30, shape=shape)
    size = 0.12 if shape == SLOPE else 2.0
    design = columns((change, OTHER), STEPS / 10)
    values = design @ [size, -3.0] + np.random.default_rng(seed).normal(size=N)
    search, model, (found,) = _measured(values, (change, OTHER))
    assert found.step == pytest.approx(10 * change.middle)
    assert found.size == pytest.approx(size / 10 if shape == SLOPE else size, rel=0.8)
    assert (found.low, found.high) == pytest.approx(_profile_interval(search, model, change))


def test_no_interval_reaches_a_place_where_no_change_may_begin() -> None:
    """A change of nothing could be anywhere."""
    change = Change(at=30, shape=WIDTHS.index(5))
    values = 3.0 * (np.arange(N) >= 62) + np.random.default_rng(0).normal(size=N)
    _, _, (found,) = _measured(values, (change, OTHER))
    assert (found.low, found.high) == (100, 520)


def test_a_fall_is_no_rebound_of_an_earlier_fall() -> None:
    first, second = Change(at=25, shape=0), Change(at=50, shape=0)
    values = columns((first, second), STEPS) @ [-5.0, -5.0] + np.random.default_rng(0).normal(size=N)
    search = Search(read_curve(STEPS, values, metric="m"), cost=2.5)
    breaks = measure(search, search.model((first, second)), p_values={first: 0.01, second: 0.01})
    assert [(one.size < 0, one.rebound) for one in breaks] == [(True, False), (True, False)]


@pytest.mark.parametrize(("per_step", "is_rebound"), [(0.0, True), (0.15, False)])
def test_a_rise_above_the_level_before_on_a_rising_trend_is_no_rebound(per_step: float, is_rebound: bool) -> None:
    fall, rise = Change(at=25, shape=0), Change(at=50, shape=0)
    noise = 0.1 * np.random.default_rng(0).normal(size=N)
    values = columns((fall, rise), STEPS) @ [-5.0, 4.0] + per_step * np.arange(N) + noise
    search = Search(read_curve(STEPS, values, metric="m"), cost=2.5)
    breaks = measure(search, search.model((fall, rise)), p_values={fall: 0.01, rise: 0.01})
    assert [one.rebound for one in breaks] == [False, is_rebound]


def test_rebounds() -> None:
    fitted = np.array([5.0, 5, 1, 1, 4, 4, 6, 6])
    fall = Change(at=2, shape=0)
    assert is_rebound(fitted, Change(at=4, shape=0), falls=[fall], end=6)
    assert not is_rebound(fitted, Change(at=6, shape=0), falls=[fall], end=8)
    assert not is_rebound(fitted, Change(at=4, shape=0), falls=[], end=6)
    rising = np.array([5.0, 5, 1, 1, 2, 3, 4, 4.5])
    assert is_rebound(rising, Change(at=3, shape=SLOPE), falls=[fall], end=8)


def test_a_rise_to_the_level_before_is_a_rebound() -> None:
    fitted = np.array([5.0, 5, 1, 1, 5, 5])
    assert is_rebound(fitted, Change(at=4, shape=0), falls=[Change(at=2, shape=0)], end=6)
