"""Places of breaks, and inner products by cumulative sums against those with one column a place."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.curve import LASTING, read_curve
from analysis.step_moment.scan import Search
from analysis.step_moment.shapes import WIDTHS, Change, allowed, columns, inner_products, squared_norms

N = 60
STEPS = np.cumsum(np.random.default_rng(0).integers(1, 4, N)).astype(float)
SERIES = np.random.default_rng(1).normal(size=(N, 3))
SHAPES = range(len(WIDTHS) + 1)


def _column(shape: int, at: int) -> np.ndarray:
    return columns((Change(at=at, shape=shape),), STEPS)[:, 0]


def test_the_middle_is_half_way_through_a_ramp_and_the_corner_of_a_slope() -> None:
    assert [Change(at=30, shape=shape).middle for shape in SHAPES] == [30, 32, 34.5, 39.5, 30]
    assert [Change(at=30, shape=shape).kind for shape in SHAPES] == ["level"] * 4 + ["slope"]


def test_a_change_lasts_to_either_end_and_to_every_other_change() -> None:
    other = Change(at=30, shape=1)
    free, beside = allowed(N), allowed(N, (other,))
    for shape in SHAPES:
        for at in range(N):
            middle = Change(at=at, shape=shape).middle
            lasts = middle >= LASTING and middle <= N - LASTING
            assert free[shape, at] == lasts
            assert beside[shape, at] == (lasts and abs(middle - other.middle) >= LASTING)


def test_no_change_begins_at_the_first_or_the_last_observation() -> None:
    assert not allowed(N)[:, [0, -1]].any()


def test_no_change_has_no_column() -> None:
    assert columns((), STEPS).shape == (N, 0)


@pytest.mark.parametrize("series", [SERIES, SERIES[:, 0]], ids=["several", "one"])
def test_inner_products_are_those_of_the_columns(series: np.ndarray) -> None:
    found = inner_products(series, STEPS)
    assert found.shape == (len(SHAPES), *series.shape)
    for shape in SHAPES:
        for at in range(N):
            assert found[shape, at] == pytest.approx(_column(shape, at) @ series)


def test_squared_norms_are_those_of_the_columns() -> None:
    search = Search(read_curve(STEPS, SERIES[:, 0], metric="m"), cost=2)
    background = search.backgrounds.at(3, 10)
    found = squared_norms(background)
    for shape in SHAPES:
        for at in range(0, N, 3):
            column = columns((Change(at=at, shape=shape),), search.curve.time)[:, 0]
            assert found[shape, at] == pytest.approx(column @ background.weigh(column), abs=1e-8)
