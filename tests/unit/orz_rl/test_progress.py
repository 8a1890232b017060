"""Lines of a run on the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orz_bench.records.run_dir import RunDir
from orz_rl.commands.progress import TrainingDisplay, closing_summary
from orz_rl.training.progress import Outcome

NATIVE = {
    "step": 2, "reward/mean": 0.25, "response/length_mean": 31.0, "reflection/rate": 0.5, "response/clip_rate": 0.125,
    "time/sample": 1.0, "time/score": 0.25, "time/update": 2.0, "time/sync": 0.0,
}  # fmt: skip
WHOLE = (
    "step  2/10  reward 0.250  length 31  reflects 0.50  clipped 0.12  s: sample 1.0  score 0.2  update 2.0  sync 0.0"
)


@pytest.mark.parametrize(
    ("absent", "line"),
    [
        ((), WHOLE),
        (tuple(name for name in NATIVE if name.startswith("time/")), WHOLE.partition("  s:")[0]),
        (("time/score", "time/sync"), WHOLE.replace("  score 0.2", "").replace("  sync 0.0", "")),
        (tuple(name for name in NATIVE if name != "step"), "step  2/10"),
    ],
)
def test_a_step_is_shown_with_what_is_known(absent: tuple[str, ...], line: str) -> None:
    text = io.StringIO()
    row = {name: value for name, value in NATIVE.items() if name not in absent}
    TrainingDisplay(Console(file=text, width=200)).stepped(row, 10)
    assert text.getvalue() == line + "\n"


def test_the_closing_summary_leaves_out_what_is_unknown(tmp_path: Path) -> None:
    rows = [{"step": 1.0, "reward/mean": 0.0}, {"step": 2.0, "reward/mean": 0.5}]
    text = closing_summary(Outcome(RunDir(tmp_path), rows, []))
    assert "0.000         0.500" in text
    assert "reflection rate" not in text
