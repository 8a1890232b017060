"""The figure of `orz-analysis detect`: how frequent each behaviour is, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.behaviours.study import BehaviourStudy, StepPrevalence
from analysis.figures.spec import FigureSpec, Panel, Series


def behaviours_figure(found: Sequence[BehaviourStudy], *, run: str = "") -> FigureSpec:
    """A panel for each behaviour, with a line for each set of rollouts; where it can be corrected, two."""
    panels = tuple(
        Panel(
            title=study.name,
            y_label="responses",
            is_share=True,
            series=tuple(
                series
                for slot, (name, steps) in enumerate(study.sets.items())
                for series in _lines(name, steps, slot=slot)
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
            "Share of responses that show a behaviour, with 95 % intervals over questions; where people judged enough "
            "responses, also corrected for the errors of the detector (Rogan and Gladen)."
        ),
    )


def _lines(label: str, steps: Sequence[StepPrevalence], *, slot: int) -> Iterator[Series]:
    """As found, and corrected where every step is."""
    if not steps:
        return
    fixed = [one.corrected for one in steps if one.corrected is not None]
    is_fixed = len(fixed) == len(steps)
    x = np.array([one.step for one in steps], dtype=float)
    yield Series(
        label=label,
        slot=slot,
        quantity="found" if is_fixed else "",
        x=x,
        y=np.array([one.share for one in steps]),
        low=np.array([one.low for one in steps]),
        high=np.array([one.high for one in steps]),
    )
    if is_fixed:
        yield Series(
            label=label,
            slot=slot,
            quantity="corrected",
            x=x,
            y=np.array([one.value for one in fixed]),
            low=np.array([one.low for one in fixed]),
            high=np.array([one.high for one in fixed]),
        )
