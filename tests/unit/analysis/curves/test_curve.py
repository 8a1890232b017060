from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.curves.curve import curve_of, smooth, window_for
from analysis.curves.study import scores_of
from tests.support.builders import a_result


def _smooth_slowly(values: list[float], window: int) -> list[float]:
    while window > len(values):
        window -= 2
    half = window // 2
    whole = [values[index - half : index + half + 1] for index in range(half, len(values) - half)]
    return [float("nan")] * half + [sum(part) / window for part in whole] + [float("nan")] * half


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(0, 7))
def test_smooth_is_the_mean_of_the_neighbours(values: list[float], half: int) -> None:
    window = 2 * half + 1
    assert smooth(np.array(values), window) == pytest.approx(_smooth_slowly(values, window), abs=1e-6, nan_ok=True)


def test_a_straight_line_stays() -> None:
    line = np.arange(30.0)
    assert smooth(line, 7)[3:-3] == pytest.approx(line[3:-3])


@pytest.mark.parametrize("value", [0.01, 1 / 3, 1e-12, 7e5])
def test_a_constant_curve_stays_constant(value: float) -> None:
    smoothed = smooth(np.full(71, value), 3)
    assert set(smoothed[1:-1]) == {value}


def test_the_smoothed_line_does_not_follow_the_last_point() -> None:
    values = np.append(np.full(99, 0.73), 0.3)
    smoothed = smooth(values, 15)
    assert np.nanmin(smoothed) == pytest.approx((14 * 0.73 + 0.3) / 15)
    assert np.isnan(smoothed[-7:]).all()


@pytest.mark.parametrize(("points", "window"), [(5, 1), (39, 1), (40, 3), (100, 5), (730, 15), (10_000, 15)])
def test_windows_are_odd_and_bounded(points: int, window: int) -> None:
    assert window_for(points) == window


def test_one_run_has_no_band() -> None:
    curve = curve_of([(np.array([1.0, 2.0]), np.array([5.0, np.nan]))])
    assert curve is not None
    assert (curve.steps.tolist(), curve.values.tolist(), curve.low, curve.num_runs) == ([1.0], [5.0], None, 1)


def test_several_runs_where_all_have_a_value() -> None:
    first = (np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    second = (np.array([2.0, 3.0, 4.0]), np.array([4.0, 9.0, 0.0]))
    curve = curve_of([first, second])
    assert curve is not None
    assert curve.low is not None
    assert curve.high is not None
    assert curve.steps.tolist() == [2.0, 3.0]
    assert curve.values.tolist() == [3.0, 6.0]
    assert (curve.low.tolist(), curve.high.tolist()) == ([2.0, 3.0], [4.0, 9.0])


def test_no_shared_steps_give_no_curve() -> None:
    assert curve_of([(np.array([1.0]), np.array([1.0])), (np.array([2.0]), np.array([1.0]))]) is None
    assert curve_of([]) is None


def test_what_is_not_scored_has_no_score_of_zero() -> None:
    scored, perplexity = a_result(), a_result(benchmark="lm-eval:wikitext", protocol={"scored_by": None})
    assert list(scores_of([scored, perplexity])["benchmark"]) == [scored.benchmark]
