"""The data of the page Findings: what each analysis says of a run, with its figure as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.curves.study import Study
from analysis.report.analyses import Analysis, Found, found_by
from app.runs.run_rows import Stamp, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an analysis found, and its figure."""

    found: Found
    png: bytes | None
    width_px: int = 0
    """Of the figure as it is meant to be shown."""


def shown_of(analysis: Analysis, study: Study) -> Shown:
    """What the analysis says of the run. Takes seconds to minutes for one that is slow."""
    found = found_by(analysis, study)
    if found.figure is None:
        return Shown(found=found, png=None)
    from analysis.figures.drawing import plot, png_of, shown_width  # imports matplotlib

    png = png_of(plot(found.figure))
    return Shown(found=found, png=png, width_px=shown_width(png))


def stamp_of_files(run: Path, analysis: Analysis) -> Stamp:
    """Changes whenever one of the files changes that the analysis reads in a run; empty where there is none."""
    paths = sorted(path for pattern in analysis.files for path in run.glob(pattern))
    found = ((path, status_of(path)) for path in paths)
    return tuple((str(path), *status) for path, status in found if status is not None)
