"""Precision, recall and kappa by hand; the corrected prevalence by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.behaviours.agreement import Agreement, Rate
from analysis.behaviours.prevalence import corrected, why_not


def test_agreement_by_hand() -> None:
    """8 found of 10 tagged; 3 found of 30 others: precision 8/11, kappa (.875 - .5925...) / ..."""
    pairs = [(True, True)] * 8 + [(False, True)] * 2 + [(True, False)] * 3 + [(False, False)] * 27
    found = Agreement.of("t", pairs)
    assert found.precision.value == pytest.approx(8 / 11)
    assert found.recall.value == pytest.approx(0.8)
    assert found.specificity.value == pytest.approx(0.9)
    expected = (11 * 10 + 29 * 30) / 40**2
    assert found.kappa == pytest.approx((35 / 40 - expected) / (1 - expected))
    assert found.kappa is not None
    assert found.kappa_low is not None
    assert found.kappa_high is not None
    assert found.kappa_low < found.kappa < found.kappa_high
    assert found.recall.low is not None
    assert found.recall.low < 0.8


def test_no_tagged_response_is_no_recall() -> None:
    found = Agreement.of("t", [(False, False)] * 4)
    assert (found.recall.value, found.precision.value, found.kappa) == (None, None, None)
    assert found.specificity.value == 1


def test_the_estimate_is_that_of_rogan_and_gladen() -> None:
    found = corrected(0.3, 1000, recall=Rate.of(80, 100), specificity=Rate.of(180, 200))
    assert found.value == pytest.approx((0.3 + 0.9 - 1) / (0.8 + 0.9 - 1))
    assert found.low < found.value < found.high
    assert corrected(0.05, 1000, recall=Rate.of(80, 100), specificity=Rate.of(180, 200)).value == 0


@pytest.mark.parametrize(
    ("truth", "recall", "specificity"), [(0.3, 0.8, 0.9), (0.02, 0.7, 0.97), (0.9, 0.95, 0.6), (0.0, 0.8, 0.95)]
)
def test_the_interval_holds_the_truth(truth: float, recall: float, specificity: float) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(250):
        tagged, others = 40, 60
        share = rng.binomial(500, truth * recall + (1 - truth) * (1 - specificity)) / 500
        found = corrected(
            share,
            500,
            recall=Rate.of(int(rng.binomial(tagged, recall)), tagged),
            specificity=Rate.of(int(rng.binomial(others, specificity)), others),
        )
        held += found.low <= truth <= found.high
    assert held >= 0.93 * 250


def test_why_nothing_is_corrected() -> None:
    assert "wanted at least 5 of each" in str(why_not(Rate.of(4, 4), Rate.of(9, 9)))
    assert "hardly more often than chance" in str(why_not(Rate.of(5, 10), Rate.of(5, 10)))
    assert why_not(Rate.of(8, 10), Rate.of(8, 10)) is None
