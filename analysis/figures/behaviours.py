"""The figure of `orz-analysis detect`: how frequent each behaviour is, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.behaviours.study import BehaviourStudy, StepPrevalence
from analysis.figures.spec import FigureSpec, Panel, Series


def behaviours_figure(found: Sequence[BehaviourStudy], *, run: str = "") -> FigureSpec:
    """A panel for each behaviour, with a line for each set of rollouts; corrected where it can be."""
    panels = tuple(
        Panel(
            title=study.name if study.why_uncorrected else f"{study.name}, corrected",
            y_label="responses",
            is_share=True,
            series=tuple(
                _series(name, steps, slot=slot) for slot, (name, steps) in enumerate(study.sets.items()) if steps
            ),
        )
        for study in found
    )
    of = f" of {run}" if run else ""
    return FigureSpec(
        name="behaviours",
        title=f"Behaviours{of}",
        panels=tuple(panel for panel in panels if panel.series),
        caption=(
            "Share of responses that show a behaviour, with 95 % intervals over questions; where tags were given, "
            "corrected for the errors of the detector (Rogan and Gladen)."
        ),
    )


def _series(label: str, steps: Sequence[StepPrevalence], *, slot: int) -> Series:
    shown = [(one.corrected or one) for one in steps]
    values = [one.value if hasattr(one, "value") else one.share for one in shown]
    return Series(
        label=label,
        slot=slot,
        x=np.array([one.step for one in steps], dtype=float),
        y=np.array(values),
        low=np.array([one.low for one in shown]),
        high=np.array([one.high for one in shown]),
    )
