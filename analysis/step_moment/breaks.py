"""Results: breaks of one metric, and breaks shared by several metrics."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.step_moment.shapes import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A sudden change of a metric's level or slope."""

    metric: str
    step: float
    """Where half of the change is complete."""
    low: float
    high: float
    """End of the 95 % interval of the step, which starts at `low`."""
    kind: Kind
    size: float
    """Signed change of the level in the metric's units, or of the slope in units per step."""
    p_value: float
    """Against a smooth trend with autocorrelated noise and the other breaks but without this one."""
    rebound: bool
    """Whether it is a rise that does not exceed the level before an earlier fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBreak:
    """Breaks of at least two metrics that coincide."""

    step: float
    low: float
    high: float
    """The last of the breaks; `low` is the first."""
    metrics: tuple[str, ...]
    p_value: float
    """Of the coincidence, against the same breaks with those of one metric rotated around the run at random."""
