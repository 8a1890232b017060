"""Colours of Okabe and Ito, which the colour-blind tell apart: of figures, and of the app's charts."""

from __future__ import annotations

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
