"""Names of the algorithm's alternatives, for configurations that must load without torch."""

from __future__ import annotations

from typing import Literal

Normalisation = Literal["token", "sequence", "constant"]
KlEstimator = Literal["k1", "k2", "k3"]
KlChoice = Literal["auto", "k1", "k2", "k3"]
