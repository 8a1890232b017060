"""Signs of collapse: each is told when it lasts, once, and a healthy run hears nothing."""

from __future__ import annotations

import pytest

from orz_rl.health import warnings

HEALTHY = {
    "policy/entropy": 1.0,
    "response/clip_rate": 0.0,
    "response/repetition": 0.05,
    "response/length_mean": 40.0,
    "group/all_right": 0.2,
    "group/all_wrong": 0.2,
    "mismatch/kl": 1e-6,
    "format/answer_rate": 1.0,
}


def test_a_healthy_run_hears_nothing() -> None:
    assert warnings([HEALTHY] * 20, set()) == []


@pytest.mark.parametrize(
    ("sign", "metric", "value"),
    [
        ("entropy", "policy/entropy", 0.01),
        ("clip_rate", "response/clip_rate", 0.9),
        ("repetition", "response/repetition", 0.5),
        ("length", "response/length_mean", 3.0),
        ("no_signal", "group/all_wrong", 0.9),
        ("mismatch", "mismatch/kl", 0.2),
        ("format", "format/answer_rate", 0.1),
    ],
)
def test_a_lasting_sign_is_told_once(sign: str, metric: str, value: float) -> None:
    bad = HEALTHY | {metric: value}
    assert warnings([HEALTHY, *[bad] * 4], set()) == []
    assert [name for name, _ in warnings([HEALTHY, *[bad] * 5], set())] == [sign]
    assert warnings([HEALTHY, *[bad] * 6], {sign}) == []
