"""Draws a FigureSpec; the only module that uses matplotlib.

Lines differ in style and marker as well as in colour, for print in grey. A line has one marker, at its end: markers
along it would look like measurements. The numbers of styles and markers are coprime, so that 40 looks differ.
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from analysis.figures.colours import colour_of
from analysis.figures.spec import FigureSpec, Panel, Series, rows

_STYLES: tuple[Any, ...] = ("-", (0, (6, 2)), "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_PANEL_INCHES = (4.2, 2.9)
_PNG_DPI = 200
_FEW_POINTS = 20
_LABEL_CHARS = 70
_CHARS_A_PANEL = 46
_SETTINGS: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "orz",
    "text.parse_math": False,
}


def plot(spec: FigureSpec) -> Figure:
    """The figure, ready to save."""
    with mpl.rc_context(_SETTINGS):
        columns = min(spec.columns, len(spec.panels))
        lines = -(-len(spec.panels) // columns)
        labels = list(dict.fromkeys(series.label for panel in spec.panels for series in panel.series))
        legend_columns = max(1, round(_CHARS_A_PANEL * columns / (max(map(len, labels)) + 8)))
        legend_inches = 0.22 * -(-len(labels) // legend_columns) + 0.1 if len(labels) > 1 else 0.0
        width = _PANEL_INCHES[0] * columns if columns < 4 else 3.4 * columns
        size = (max(width, 5.0), _PANEL_INCHES[1] * lines + legend_inches)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07))
        FigureCanvasAgg(figure)
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        handles: dict[str, Any] = {}
        for axis, panel in zip(axes, spec.panels, strict=False):
            handles |= _plot_panel(axis, panel)
        for axis in axes[len(spec.panels) :]:
            axis.set_visible(False)
        if len(labels) > 1:
            shown = [textwrap.shorten(label, _LABEL_CHARS, placeholder=" …") for label in labels]
            figure.legend(
                [handles[label] for label in labels],
                shown,
                loc="outside lower center",
                ncols=legend_columns,
                handlelength=3.4,
            )
        figure.canvas.draw()
        figure.set_layout_engine("none")  # the layout is final: saving in two formats need not compute it again
    return figure


def _plot_panel(axis: Axes, panel: Panel) -> dict[str, Any]:
    quantities = list(dict.fromkeys(series.quantity for series in panel.series))
    looks = {quantity: _Look.of(index) for index, quantity in enumerate(quantities)} if len(quantities) > 1 else {}
    handles = {
        series.label: _plot_series(axis, series, look=looks.get(series.quantity, _Look.of(series.slot)))
        for series in reversed(panel.series)
    }
    if looks:
        lines = [
            Line2D([], [], color="#444444", linestyle=look.style, linewidth=1.7, marker=look.marker, markersize=4)
            for look in looks.values()
        ]
        axis.legend(lines, list(looks), fontsize=8, handlelength=3.0, loc="best")
    for reference in panel.references:
        axis.axhline(reference.y, color="#666666", linewidth=0.8, linestyle=(0, (2, 3)))
    _label_references(axis, panel)
    axis.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    _set_steps(axis, panel)
    _set_limits(axis, panel)
    return handles


def _set_steps(axis: Axes, panel: Panel) -> None:
    """Ticks at integers if all steps are integers; a single step has one tick."""
    steps = np.unique(np.concatenate([series.x for series in panel.series]))
    if panel.is_log:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        return
    if len(steps) == 1:
        axis.set_xlim(steps[0] - 1, steps[0] + 1)
        axis.set_xticks(steps, [f"{steps[0]:g}"])
        return
    is_whole = bool((steps == np.round(steps)).all())
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=is_whole, steps=[1, 2, 5, 10]))


def _label_references(axis: Axes, panel: Panel) -> None:
    """Label the horizontal lines at the right edge: the lowest below its line, the others above."""
    ordered = sorted(panel.references, key=lambda reference: reference.y)
    for index, reference in enumerate(ordered):
        is_below = index == 0 and len(ordered) > 1
        axis.annotate(
            f"{reference.label} {100 * reference.y:.1f} %",
            (1.0, reference.y),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="top" if is_below else "bottom",
            fontsize=7,
            color="#555555",
        )


def _set_limits(axis: Axes, panel: Panel) -> None:
    """Start at 0 unless there are negative values; leave room for markers and bars above."""
    ends = [array for series in panel.series for array in (series.y, series.low, series.high) if array is not None]
    lowest, highest = min(float(array.min()) for array in ends), max(float(array.max()) for array in ends)
    highest = max([highest, *(reference.y * 1.04 for reference in panel.references)])
    if panel.is_share:
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if highest > 0.06 else 1))
    if lowest >= 0 or panel.is_share:
        axis.set_ylim(0, 1.07 * highest or 1.0)


@dataclass(frozen=True, slots=True)
class _Look:
    """What distinguishes lines without colour."""

    style: Any
    marker: str

    @classmethod
    def of(cls, slot: int) -> _Look:
        """The look of an experiment or a quantity; the first 40 differ."""
        return cls(_STYLES[slot % len(_STYLES)], _MARKERS[slot % len(_MARKERS)])


def _plot_series(axis: Axes, series: Series, *, look: _Look) -> Any:
    colour = colour_of(series.slot)
    if series.role == "points":
        return _plot_points(axis, series, colour=colour, look=look)
    bold = series.y if series.smooth is None else series.smooth
    if series.smooth is not None:
        axis.plot(series.x, series.y, color=colour, linewidth=0.6, alpha=0.4)
    if series.low is not None and series.high is not None:
        axis.fill_between(series.x, series.low, series.high, color=colour, alpha=0.18, linewidth=0)
    ends = np.flatnonzero(np.isfinite(bold))[-1:].tolist()
    (line,) = axis.plot(
        series.x,
        bold,
        color=colour,
        linestyle=look.style,
        linewidth=1.6,
        marker=look.marker,
        markersize=4,
        markevery=ends,
    )
    for mark in series.marks:
        axis.axvspan(mark.low, mark.high, color="#888888", alpha=0.2, linewidth=0)
        at = int(abs(series.x - mark.step).argmin())
        axis.plot(
            mark.step,
            bold[at] if np.isfinite(bold[at]) else series.y[at],
            marker="^" if mark.size > 0 else "v",
            color=colour,
            markersize=8,
            markeredgecolor="black",
        )
    return line


def _plot_points(axis: Axes, series: Series, *, colour: str, look: _Look) -> Any:
    """Hollow markers with wider caps and bars in front, so that a bar shorter than its marker is visible."""
    bars = None
    if series.low is not None and series.high is not None:
        bars = np.array([series.y - series.low, series.high - series.y])
    size = 4.5 if len(series.x) <= _FEW_POINTS else 2.5
    return axis.errorbar(
        series.x,
        series.y,
        yerr=bars,
        color=colour,
        fmt=look.marker,
        linestyle=look.style,
        linewidth=1.1,
        elinewidth=1.3,
        markersize=size,
        markerfacecolor="white",
        markeredgewidth=1.0,
        capsize=size / 2 + 1.5,
        capthick=1.1,
        barsabove=True,
    )


def png_of(figure: Figure) -> bytes:
    """The picture at 200 dpi."""
    with mpl.rc_context(_SETTINGS):
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_PNG_DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
        return file.getvalue()


def shown_width(png: bytes) -> int:
    """The width in CSS pixels (96 an inch) at which a picture made by `png_of` has the size of its figure."""
    return int.from_bytes(png[16:20], "big") * 96 // _PNG_DPI


def save(spec: FigureSpec, folder: Path) -> list[Path]:
    """Write NAME.png, NAME.pdf and NAME.csv into an existing folder; return their paths."""
    figure = plot(spec)
    paths = [folder / f"{spec.name}.{suffix}" for suffix in ("png", "pdf", "csv")]
    paths[0].write_bytes(png_of(figure))
    with mpl.rc_context(_SETTINGS):
        figure.savefig(paths[1], format="pdf", metadata={"CreationDate": None})
    rows(spec).to_csv(paths[2], index=False)
    return paths
