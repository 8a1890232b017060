"""The 7B run of Open-Reasoner-Zero (shared data). No parameter was chosen on it: see docs/step-moments.md."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.step_moment.breaks import Break
from analysis.step_moment.find import find_breaks
from analysis.step_moment.joint import find_joint_breaks
from tests.support.shared_data import shared_data

METRICS = ("reward", "response_length", "correct_reflection_length")


@pytest.fixture(scope="module")
def breaks() -> dict[str, list[Break]]:
    table = pd.read_csv(shared_data() / "curves" / "orz_7b_train_per_step.csv")
    curves = {metric: table[table["metric"] == metric] for metric in METRICS}
    return {metric: find_breaks(curve["step"], curve["y"], metric=metric) for metric, curve in curves.items()}


def test_length_and_correct_reflection_length_break_together(breaks: dict[str, list[Break]]) -> None:
    joint = find_joint_breaks([one for of_metric in breaks.values() for one in of_metric], range(731))
    (event,) = [one for one in joint if 700 <= one.step <= 725]
    assert set(event.metrics) == {"response_length", "correct_reflection_length"}
    assert 700 <= event.low <= event.high <= 725
    for metric in event.metrics:
        (found,) = [one for one in breaks[metric] if 700 <= one.step <= 725]
        assert found.size > 0
        assert not found.rebound


@pytest.mark.parametrize(("first", "last", "lost_by"), [(240, 300, 360), (500, 590, 655)])
def test_earlier_rises_and_their_falls(breaks: dict[str, list[Break]], first: int, last: int, lost_by: int) -> None:
    lengths = breaks["response_length"] + breaks["correct_reflection_length"]
    assert any(first <= one.step <= last and one.size > 0 for one in lengths)
    assert any(last - 5 < one.step <= lost_by and one.size < 0 for one in breaks["response_length"])


def test_the_reward_breaks_where_it_rises_and_not_with_the_lengths(breaks: dict[str, list[Break]]) -> None:
    assert breaks["reward"][0].step == pytest.approx(28, abs=5)
    assert not [one for one in breaks["reward"] if one.step > 100]
