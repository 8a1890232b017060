"""One pass over all places against one regression a place."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.curve import read_curve
from analysis.step_moment.scan import Scan, Search
from analysis.step_moment.shapes import SLOPE, WIDTHS, Change, allowed, columns, squared_norms

STEPS = np.cumsum(np.random.default_rng(0).integers(1, 4, 80)).astype(float)
VALUES = np.random.default_rng(1).normal(size=80)


@pytest.mark.parametrize(
    "changes", [(), (Change(at=30, shape=0),), (Change(at=25, shape=SLOPE), Change(at=50, shape=2))]
)
def test_gains_are_those_of_generalised_least_squares(changes: tuple[Change, ...]) -> None:
    search = Search(read_curve(STEPS, VALUES, metric="m"), cost=2)
    background = search.backgrounds.at(3, 10)
    gains, squares = search.scan(background, changes).gains(search.values)
    assert squares == pytest.approx(_left(search, background, changes))
    is_open = allowed(80, changes)
    for shape in range(len(gains)):
        for at in range(80):
            expected = (
                squares - _left(search, background, (*changes, Change(at=at, shape=shape))) if is_open[shape, at] else 0
            )
            assert gains[shape, at] == pytest.approx(expected, abs=1e-8 * float(squares))


def _left(search: Search, background: object, changes: tuple[Change, ...]) -> float:
    design = columns(changes, search.curve.time)
    weighed = background.weigh(np.column_stack([search.values, design]))  # type: ignore[attr-defined]  # a Background
    gram = np.column_stack([search.values, design]).T @ weighed
    if not changes:
        return float(gram[0, 0])
    return float(gram[0, 0] - gram[0, 1:] @ np.linalg.solve(gram[1:, 1:], gram[1:, 0]))


def test_many_curves_at_once() -> None:
    search = Search(read_curve(STEPS, VALUES, metric="m"), cost=2)
    background = search.backgrounds.at(0, 20)
    scan = Scan(background, (Change(at=40, shape=1),), squared_norms(background))
    others = np.random.default_rng(2).normal(size=(80, 3))
    gains, squares = scan.gains(others)
    for index in range(3):
        alone, left = scan.gains(others[:, index])
        assert gains[:, :, index] == pytest.approx(alone)
        assert squares[index] == pytest.approx(left)


def test_the_best_addition_has_the_largest_gain_of_all() -> None:
    search = Search(read_curve(STEPS, VALUES + 3 * (np.arange(80) >= 40), metric="m"), cost=2)
    background = search.backgrounds.at(0, 3)
    best = search.best_addition(background, ())
    assert best is not None
    gains, _ = search.scan(background, ()).gains(search.values)
    assert best.at == pytest.approx(40, abs=3)
    assert gains[best.shape, best.at] == gains.max()


def test_even_a_small_gain_is_the_best_addition() -> None:
    """A line and almost no noise: what a change could gain is far below 1."""
    search = Search(read_curve(STEPS, STEPS + 1e-3 * VALUES, metric="m"), cost=2)
    background = search.backgrounds.at(0, 3)
    gains, _ = search.scan(background, ()).gains(search.values)
    assert 0 < gains.max() < 0.1
    assert search.best_addition(background, ()) is not None


def test_without_room_there_is_no_addition() -> None:
    search = Search(read_curve(STEPS, VALUES, metric="m"), cost=2)
    full = tuple(Change(at=at, shape=0) for at in range(10, 71, 12))
    assert search.best_addition(search.backgrounds.at(0, 3), full) is None


def test_every_change_costs_log_n() -> None:
    search = Search(read_curve(STEPS, VALUES, metric="m"), cost=2)
    changes = (Change(at=30, shape=0), Change(at=50, shape=0))
    dear, cheap = (one.model(changes).criterion for one in (search.at_cost(5), search))
    assert dear - cheap == pytest.approx(3 * 2 * np.log(80))


def test_a_curve_without_noise_keeps_a_share_of_its_squares() -> None:
    """A jump explains it but for that share, and nothing is left to explain for a second one."""
    jump = Change(at=40, shape=0)
    search = Search(read_curve(STEPS, 1.0 * (np.arange(80) >= 40), metric="m"), cost=2)
    background = search.backgrounds.at(0, 3)
    gains, squares = search.scan(background, ()).gains(search.values)
    assert (squares - gains[jump.shape, jump.at]) / squares == pytest.approx(1e-9, rel=1e-3)
    _, left = search.scan(background, (jump,)).gains(search.values)
    assert left == pytest.approx(80e-9)


def test_shapes() -> None:
    time = np.arange(6, dtype=np.float64)
    assert columns((Change(at=2, shape=0),), time)[:, 0].tolist() == [0, 0, 1, 1, 1, 1]
    ramp = columns((Change(at=1, shape=WIDTHS.index(5)),), time)[:, 0]
    assert ramp == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert columns((Change(at=2, shape=SLOPE),), time)[:, 0].tolist() == [0, 0, 0, 1, 2, 3]
    assert Change(at=1, shape=WIDTHS.index(5)).middle == 3
    assert (Change(at=2, shape=0).last_before, Change(at=2, shape=SLOPE).last_before) == (1, 2)
