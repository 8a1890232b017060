"""Noise looks like noise: an axis of shares spans at least five points or five standard errors."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs.axes import LEAST_SHARES, least_span, wide_enough
from app.runs.curves import curves_of_run
from tests.support.runs import a_run


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0.05, 1))
def test_an_axis_holds_its_values_and_spans_enough(values: list[float], least: float) -> None:
    ends = wide_enough(values, least=least, top=1.0)
    if ends is None:
        assert max(values) - min(values) >= least
        return
    low, high = ends
    assert 0 <= low <= min(values) + 1e-9
    assert max(values) - 1e-9 <= high <= 1 + 1e-9
    assert high - low == pytest.approx(least)


def test_one_rollout_of_256_is_no_collapse() -> None:
    assert wide_enough([1.0, 255 / 256, 1.0], least=LEAST_SHARES, top=1.0) == (0.95, 1.0)
    assert wide_enough([math.nan], least=LEAST_SHARES, top=1.0) is None
    assert wide_enough([-0.1, 0.2], least=LEAST_SHARES, top=1.0) is None


def test_a_share_of_few_rollouts_spans_five_standard_errors(tmp_path: Path) -> None:
    study = curves_of_run(a_run(tmp_path / "x", num_steps=2).path)  # 16 rollouts a step
    assert least_span([study], [0.5, 0.5], unit="share") == pytest.approx(5 * 0.5 / 4)
    assert least_span([study], [1.0], unit="share") == LEAST_SHARES
    assert least_span([], [0.5], unit="share") == LEAST_SHARES
    assert least_span([study], [0.5], unit="tokens") is None
