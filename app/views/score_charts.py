"""Charts of scores: accuracy over checkpoints with bands and published results, and accuracy by kind of question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from app.runs.axes import LEAST_SHARES, wide_enough
from app.views.charts import Drawn, run_colours
from orz_bench.results.baselines import Baseline

_MOST_PUBLISHED = 4


def score_chart(curve: pd.DataFrame, published: Sequence[Baseline], *, names: Sequence[str], height: int) -> Drawn:
    """Accuracy over steps; `curve` comes from app.runs.evaluations.score_curves."""
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, grid=False, format=",d", tickCount=8))
    drawn = [*curve["accuracy"], *curve["low"], *curve["high"], *(one.percent for one in published[:_MOST_PUBLISHED])]
    ends = wide_enough(drawn, least=100 * LEAST_SHARES, top=100.0)
    scale = alt.Scale(domain=list(ends), nice=False) if ends else alt.Scale(zero=False, nice=True)
    base = alt.Chart(curve).encode(x=x, color=run_colours(names), detail="protocol:N")
    is_single = curve["run"].nunique() == 1
    outer = base.mark_area(opacity=0.13 if is_single else 0.09).encode(
        y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q"
    )
    inner = base.mark_area(opacity=0.22 if is_single else 0.0).encode(
        y=alt.Y("inner_low:Q", title=None, scale=scale), y2="inner_high:Q"
    )
    bars = base.mark_rule(opacity=0.6).encode(y=alt.Y("low:Q", title=None, scale=scale), y2="high:Q")
    line = base.mark_line(strokeWidth=2.2).encode(y=alt.Y("accuracy:Q", title=None, scale=scale))
    tooltip = [
        alt.Tooltip("run:N", title="run"), alt.Tooltip("step:Q", title="step", format=","),
        alt.Tooltip("accuracy:Q", title="accuracy", format=".1f"),
        alt.Tooltip("low:Q", title="95 % from", format=".1f"), alt.Tooltip("high:Q", title="to", format=".1f"),
        alt.Tooltip("n:Q", title="samples per question"),
        alt.Tooltip("protocol:N", title="protocol"),
    ]  # fmt: skip
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y="accuracy:Q", tooltip=tooltip)
    return alt.layer(outer, inner, bars, line, points, *_published(published)).properties(height=height)


def _published(published: Sequence[Baseline]) -> list[alt.Chart]:
    shown = sorted(published, key=lambda one: -one.percent)[:_MOST_PUBLISHED]
    if not shown:
        return []
    table = pd.DataFrame([{"percent": one.percent, "text": one.model, "source": one.source} for one in shown])
    base = alt.Chart(table).encode(y="percent:Q", tooltip=["text:N", "percent:Q", "source:N"])
    rule = base.mark_rule(strokeDash=[5, 4], color="#8A8F98")
    text = base.mark_text(align="left", dx=4, dy=-5, fontSize=10, color="#8A8F98").encode(x=alt.value(0), text="text:N")
    return [rule, text]


def parts_chart(table: pd.DataFrame, *, colours: Mapping[str, str]) -> Drawn:
    """Bars by part; `table` comes from app.runs.evaluations.parts, plus a column `of`, the keys of `colours`.

    An evaluation has the colour of its run; the earlier of two of one run is paler.
    """
    names = list(colours)
    scale = alt.Scale(domain=names, range=list(colours.values()))
    paler = [name for number, name in enumerate(names) if colours[name] in list(colours.values())[number + 1 :]]
    order = list(dict.fromkeys(table["part"]))
    base = alt.Chart(table).encode(
        y=alt.Y("part:N", title=None, sort=order, axis=alt.Axis(labelLimit=180)),
        yOffset=alt.YOffset("of:N", sort=list(names)),
        tooltip=[
            "of:N", "part:N", alt.Tooltip("accuracy:Q", format=".1f"),
            alt.Tooltip("low:Q", title="95 % from", format=".1f"), alt.Tooltip("high:Q", title="to", format=".1f"),
            alt.Tooltip("questions:Q", format=","), alt.Tooltip("samples:Q", format=","),
        ],
    )  # fmt: skip
    bars = base.mark_bar(height={"band": 0.85}).encode(
        x=alt.X("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)),
        color=alt.Color("of:N", scale=scale, legend=alt.Legend(title=None, orient="top", labelLimit=320)),
        opacity=alt.Opacity(
            "of:N",
            scale=alt.Scale(domain=names, range=[0.45 if name in paler else 1.0 for name in names]),
            legend=alt.Legend(title=None, orient="top", labelLimit=320),
        ),
    )
    middle = alt.YOffset("of:N", sort=list(names), bandPosition=0.5)
    errors = base.mark_rule(color="#6B6B6B", strokeWidth=1.5).encode(x="low:Q", x2="high:Q", yOffset=middle)
    return alt.layer(bars, errors).properties(height=alt.Step(14 if len(order) > 6 else 20))
