"""Colours of runs in charts and legends: readable on white and on near-black, and told apart by the colour-blind."""

from __future__ import annotations

from analysis.figures.colours import COLOURS

RUN_COLOURS = (*COLOURS[:6], "#8A8F98")
"""As the figures', with grey in the place of black, which a dark page would swallow."""


def colour(index: int) -> str:
    """Of the run with that place among those shown."""
    return RUN_COLOURS[index % len(RUN_COLOURS)]
