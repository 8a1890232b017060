"""Colours of runs in charts and legends: readable on white and on near-black, and distinct for the colour-blind."""

from __future__ import annotations

from analysis.figures.colours import COLOURS

RUN_COLOURS = (*COLOURS[:6], "#8A8F98")
"""The colours of figures, with grey instead of black, which is invisible on a dark page."""


def colour(index: int) -> str:
    """The colour of the run at this position among those shown."""
    return RUN_COLOURS[index % len(RUN_COLOURS)]
