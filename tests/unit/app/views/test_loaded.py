"""Step moments are looked for once a run, and again when it has grown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run
from app.views import loaded


def _study(num_steps: int, *, state: Literal["done", "open"] = "done", path: str = "x") -> Study:
    steps = np.arange(num_steps)
    reward = 1.0 * (steps >= 60) + np.random.default_rng(0).normal(0, 0.1, num_steps)
    frame = pd.DataFrame({"step": steps, "reward/mean": reward})
    run = replace(Run(name="x", path=Path(path), kind="train", metrics=frame), state=state)
    return Study(run=run, steps=frame, scores=scores_of([]))


def test_moments_are_known_after_they_have_been_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    study = _study(120)
    assert loaded.with_known_moments(study).breaks == {}
    assert loaded.look_for_moments([study])
    (mark,) = loaded.with_known_moments(study).breaks["reward/mean"]
    assert mark.step == pytest.approx(60, abs=2)
    monkeypatch.setattr(loaded, "with_step_moments", lambda _: pytest.fail("looked for again"))
    assert not loaded.look_for_moments([study])
    short = _study(50)
    assert not loaded.look_for_moments([short])
    growing = _study(121, state="open")
    with pytest.raises(pytest.fail.Exception):
        loaded.look_for_moments([growing])


def test_a_growing_run_keeps_its_marks_for_some_steps() -> None:
    assert loaded.look_for_moments([_study(110, state="open", path="y")])
    assert not loaded.look_for_moments([_study(124, state="open", path="y")])
    assert loaded.with_known_moments(_study(124, state="open", path="y")).breaks["reward/mean"]
    assert loaded.look_for_moments([_study(125, state="open", path="y")])
