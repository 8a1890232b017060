"""Charts of curves: thin raw values behind a bold smoothed line, marks, a crosshair, clickable points."""

from __future__ import annotations

import html
from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from app.markdown import plain
from app.runs.axes import wide_enough
from app.views.palette import colour

Drawn = alt.LayerChart | alt.FacetChart
"""The result type of alt.layer."""

_MARK = "#B00020"
PICKED = "picked"
"""Name of the selection: the fields run and step of the clicked point."""


def legend(names: Sequence[str]) -> None:
    """Draw the colours of the runs; nothing for one run."""
    if len(names) < 2:
        return
    items = "".join(
        f'<span class="orz-key"><i style="background:{colour(index)}"></i>{html.escape(plain(name))}</span>'
        for index, name in enumerate(names)
    )
    st.html(f'<div class="orz-legend">{items}</div>')


def run_colours(names: Sequence[str]) -> alt.Color:
    """The colour encoding: a run has the same colour in every chart; the chart has no legend."""
    scale = alt.Scale(domain=list(names), range=[colour(index) for index in range(len(names))])
    return alt.Color("run:N", scale=scale, legend=None)


def curve_chart(
    curve: pd.DataFrame, marks: pd.DataFrame, *, names: Sequence[str], is_log: bool, height: int,
    least: float | None = None,
) -> Drawn:  # fmt: skip
    """The curves of one metric. `curve` and `marks` come from app.runs.curves; `least`: the least span of shares."""
    ends = wide_enough(list(curve["value"]), least=least, top=1.0) if least else None
    linear = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=False, nice=True)
    scale = alt.Scale(type="log") if is_log else linear
    shown = curve[curve["value"] > 0] if is_log else curve
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, grid=False, format=",d", tickCount=8))
    colours = run_colours(names)
    base = alt.Chart(shown).encode(x=x, color=colours)
    picked = alt.selection_point(name=PICKED, fields=["run", "step"], on="click", nearest=True, empty=False)
    hovered = alt.selection_point(
        name="hovered", fields=["step"], on="pointermove", nearest=True, empty=False, clear="pointerout"
    )
    tooltip = [
        alt.Tooltip("run:N", title="run"), alt.Tooltip("step:Q", title="step", format=","),
        alt.Tooltip("value:Q", title="value", format=".4~g"), alt.Tooltip("smooth:Q", title="smoothed", format=".4~g"),
    ]  # fmt: skip
    y_axis = alt.Axis(format=_number_format(shown), tickCount=5)
    raw = base.mark_line(strokeWidth=1, opacity=0.5).encode(y=alt.Y("value:Q", title=None, scale=scale, axis=y_axis))
    bold = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("smooth:Q", title=None, scale=scale))
    points = (
        base.mark_point(filled=True, size=55)
        .encode(
            y=alt.Y("value:Q", title=None),
            opacity=alt.condition(hovered, alt.value(1), alt.value(0)),
            tooltip=tooltip,
        )
        .add_params(hovered, picked)
    )
    layers = [*_marks(marks, x), raw, bold, points]
    return alt.layer(*layers).properties(height=height)


def _number_format(curve: pd.DataFrame) -> str:
    """SI prefixes for large numbers (12k), plain decimals for others (0.012)."""
    return "~s" if len(curve) and curve["value"].abs().max() >= 10_000 else "~r"


def _marks(marks: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    if marks.empty:
        return []
    base = alt.Chart(marks)
    band = base.mark_rect(opacity=0.1, color=_MARK).encode(x=alt.X("low:Q", title=None), x2="high:Q")
    rule = base.mark_rule(color=_MARK, strokeDash=[4, 3]).encode(x=x, tooltip=["run:N", "text:N"])
    triangle = base.mark_point(shape="triangle-down", filled=True, size=70, color=_MARK, opacity=1).encode(
        x=x, y=alt.value(4), tooltip=["run:N", "text:N"]
    )
    return [band, rule, triangle]
