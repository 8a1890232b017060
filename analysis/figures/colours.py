"""Okabe and Ito's colours, which are distinct for the colour-blind: for figures and the app's charts."""

from __future__ import annotations

import colorsys

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def colour_of(slot: int) -> str:
    """The colour of an experiment: COLOURS as they are, then darker, then lighter, then from the start."""
    base, turn = COLOURS[slot % len(COLOURS)], slot // len(COLOURS) % 3
    if not turn:
        return base
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(base[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    changed = 0.6 * lightness + 0.08 if turn == 1 else 0.5 + 0.5 * lightness
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, changed, saturation))
