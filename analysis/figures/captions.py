"""Captions: what a figure was made from, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.curve import window_for
from analysis.curves.study import Group, Study
from analysis.figures.spec import Panel, Series

_MANY = 6


def caption(first: str, groups: Sequence[Group], *, panels: Sequence[Panel]) -> str:
    """`first`, then the runs with their seeds, the steps, and the meaning of lines, bands, bars and marks."""
    series = [one for panel in panels for one in panel.series]
    parts = [first, _runs(groups), _steps(series), _smoothing(series), _spread(groups, series), _marks(series)]
    if any(panel.references for panel in panels):
        parts.append("Horizontal lines: published results, each under its own protocol.")
    parts += list(dict.fromkeys(panel.note for panel in panels))
    if any(name.startswith("reflection/") for panel in panels for name in panel.metrics):
        lexicons = {study.lexicon for group in groups for study in group.studies if study.lexicon}
        parts.append(f"Reflections by lexicon {', '.join(sorted(lexicons))}.")
    return " ".join(part for part in parts if part)


def _runs(groups: Sequence[Group]) -> str:
    shown = [_group(group) for group in groups[:_MANY]]
    more = f" and {len(groups) - _MANY} more" if len(groups) > _MANY else ""
    return f"Runs: {'; '.join(shown)}{more}."


def _group(group: Group) -> str:
    seeds = [str(study.run.seed) for study in group.studies if study.run.seed is not None]
    names = ", ".join(study.run.name for study in group.studies)
    about = names if names != group.label else ""
    seed = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else ""
    inside = "; ".join(part for part in (about, seed, *_states(group.studies)) if part)
    return f"{group.label} ({inside})" if inside else group.label


def _states(studies: Sequence[Study]) -> list[str]:
    return ["not finished"] if any(study.run.state in ("open", "failed") for study in studies) else []


def _steps(series: Sequence[Series]) -> str:
    steps = [step for one in series for step in (one.x[0], one.x[-1])]
    return f"Steps {min(steps):g} to {max(steps):g}."


def _smoothing(series: Sequence[Series]) -> str:
    windows = sorted({window_for(len(one.x)) for one in series if one.smooth is not None})
    if not windows:
        lines = any(one.role == "line" and len(one.x) > 1 for one in series)
        return "Lines connect all steps, unsmoothed; the marker is at the last one." if lines else ""
    return (
        f"Bold: centred mean over {' or '.join(map(str, windows))} points (it ends half a window before the last "
        f"point); thin: all points. The marker of a line is at its end."
    )


def _spread(groups: Sequence[Group], series: Sequence[Series]) -> str:
    sizes = sorted({len(group.studies) for group in groups} - {1})
    bands = f"Bands and bars of several seeds: lowest to highest of {' or '.join(map(str, sizes))}." if sizes else ""
    has_bars = any(one.role == "points" and one.low is not None for one in series)
    bars = (
        "Error bars: 95 % intervals, the wider of sampling and questions."
        if has_bars and len(sizes) < len(groups)
        else ""
    )
    return " ".join(
        part for part in (bands, bars if not sizes or any(len(g.studies) == 1 for g in groups) else "") if part
    )


def _marks(series: Sequence[Series]) -> str:
    if not any(one.marks for one in series):
        return ""
    return "Triangles: sudden, lasting changes (step moments); grey strips: 95 % intervals of their step."
