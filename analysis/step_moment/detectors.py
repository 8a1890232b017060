"""Detectors of step moments by name: ours, and those that other packages add (`orz.detectors`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from numpy.typing import ArrayLike

from analysis.step_moment.breaks import Break
from analysis.step_moment.find import find_breaks
from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginFault, PluginGroup


class FindsBreaks(Protocol):
    """The function of a detector."""

    def __call__(self, steps: ArrayLike, values: ArrayLike, *, metric: str, seed: int) -> Sequence[Break]:
        """The breaks of one curve, by step; the same seed gives the same breaks."""
        ...


@dataclass(frozen=True, slots=True)
class Detector:
    """A way to find step moments."""

    name: str
    source: str
    """Where the method comes from."""
    find: FindsBreaks
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""

    @property
    def label(self) -> str:
        """Its name, and that of its package."""
        return f"{self.name} of {self.package}" if self.package else self.name


STRUCTURAL = Detector("structural", "a search for changes of level and slope, docs/step-moments.md", find_breaks)
DETECTORS: Mapping[str, Detector] = MappingProxyType({STRUCTURAL.name: STRUCTURAL})
"""Ours."""
DETECTOR_GROUP: PluginGroup[Detector] = PluginGroup(
    name="orz.detectors", noun="detector", kind=Detector, built_in=DETECTORS
)
"""Ours, and those that other packages add."""


def get_detector(name: str) -> Detector:
    """The detector of that name. ConfigError for an unknown one, and for one that cannot be used."""
    if name in DETECTORS:
        return DETECTORS[name]
    return replace(DETECTOR_GROUP.load(name), package=DETECTOR_GROUP.package_of(name))


def breaks_by(detector: Detector, steps: ArrayLike, *, values: ArrayLike, metric: str, seed: int) -> Sequence[Break]:
    """The breaks of one curve. ConfigError, with the name of its package, where another package's code fails."""
    if not detector.package:
        return detector.find(steps, values, metric=metric, seed=seed)
    try:
        found = list(detector.find(steps, values, metric=metric, seed=seed))
    except Exception as error:  # whatever that package does
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"detector {detector.label} failed on {metric} ({type(error).__name__}: {reason}); correct that package."
        ) from error
    if not all(isinstance(one, Break) for one in found):
        raise ConfigError(f"detector {detector.label} found something other than Breaks; correct that package.")
    return found


def all_detectors() -> tuple[list[Detector], list[PluginFault]]:
    """Every detector, ours first, and those of other packages that cannot be used."""
    found, faults = DETECTOR_GROUP.load_all()
    return [replace(each, package=DETECTOR_GROUP.package_of(name)) for name, each in found.items()], faults
