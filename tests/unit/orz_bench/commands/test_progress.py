"""What a user sees while an evaluation runs, on a terminal and in a log file."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from orz_bench.commands.progress import ProgressDisplay
from tests.support.builders import a_result, a_rollout
from tests.unit.orz_bench.evaluation.test_evaluate import an_evaluation


@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_starts_counts_and_ends(is_terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=is_terminal, width=120)
    with ProgressDisplay(console) as display:
        display.notice("engine: fake")
        display.started(an_evaluation(), num_wanted=80, num_missing=60)
        display.generating()
        display.committed([a_rollout() for _ in range(30)])
        ends_at = time.monotonic() + 100
        while is_terminal and "100.0% correct" not in file.getvalue() and time.monotonic() < ends_at:
            time.sleep(0.02)
        display.finished(a_result())
    assert "engine: fake" in file.getvalue()
    assert "20 of 80 samples already generated, 60 to generate" in file.getvalue()
    assert ("100.0% correct" in file.getvalue()) == is_terminal


def test_nothing_missing_shows_no_bar() -> None:
    file = io.StringIO()
    with ProgressDisplay(Console(file=file, force_terminal=True)) as display:
        display.started(an_evaluation(), num_wanted=80, num_missing=0)
        display.finished(a_result())
    assert "%" not in file.getvalue()
