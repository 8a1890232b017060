"""One figure of an analysis with its formula: a row of docs/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure."""

    name: str
    formula: str
    source: str = ""
    """The paper that it, or the claim that it tests, is from."""
