"""Every figure that probe and contamination keep has its formula in docs/metrics.md."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from analysis.commands.catalogue import metrics_markdown
from orz_bench.contamination.measures import CONTAMINATION_MEASURES
from orz_bench.probing.measures import THOUGHT_MEASURES
from orz_bench.records.contamination import Answered, Completed, OldAgainstFresh
from orz_bench.records.measure import Measure
from orz_bench.records.thought_need import StepScores, ThoughtNeed
from orz_bench.records.thoughts import ThoughtUse

TESTED = {"difference", "p_value", "p_exact"}


def figures_of(*kinds: type[Any]) -> set[str]:
    """The fields that are shares, and those of a test."""
    return {one.name for kind in kinds for one in fields(kind) if "Share" in str(one.type) or one.name in TESTED}


@pytest.mark.parametrize(
    ("measures", "kinds"),
    [
        (THOUGHT_MEASURES, (ThoughtUse, ThoughtNeed, StepScores)),
        (CONTAMINATION_MEASURES, (Completed, Answered, OldAgainstFresh)),
    ],
)
def test_every_figure_has_a_formula(measures: tuple[Measure, ...], kinds: tuple[type[Any], ...]) -> None:
    named = {one.name.split()[0] for one in measures}
    assert figures_of(*kinds) - {"steps"} <= named
    assert "support" in named or kinds[0] is not ThoughtUse
    text = metrics_markdown()
    assert all(f"| `{one.name}` | {one.formula} |" in text for one in measures)
