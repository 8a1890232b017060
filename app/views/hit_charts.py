"""The chart above a list that was searched: rollouts with a hit over the steps."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from app.queries.hit_shares import HitShare
from app.views.charts import PICKED, Drawn

SHARES_PX = 110
_WORDS = {"eval": "evaluations", "train": "training"}
_COLOURS = {"evaluations": "#0072B2", "training": "#D55E00"}


def shares_chart(shares: Sequence[HitShare], *, chosen: Sequence[int]) -> Drawn:
    """The shares in percent; a click selects a step, and `chosen` ones have a ring."""
    table = pd.DataFrame(
        [(_WORDS[one.kind], one.step, 100 * one.share, f"{one.num_hit:,} of {one.total:,}") for one in shares],
        columns=["of", "step", "share", "rollouts"],
    )
    names = [name for name in _COLOURS if name in set(table["of"])]
    picked = alt.selection_point(name=PICKED, fields=["step"], on="click", nearest=True, empty=False)
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, grid=False, format=",d"))
    y = alt.Y("share:Q", title="with a hit, %", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=3))
    colours = alt.Scale(domain=names, range=[_COLOURS[name] for name in names])
    legend = alt.Legend(title=None, orient="right") if len(names) > 1 else None
    base = alt.Chart(table).encode(x=x, y=y, color=alt.Color("of:N", scale=colours, legend=legend))
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        shape=alt.Shape("of:N", scale=alt.Scale(domain=names), legend=legend),
        tooltip=["of:N", "step:Q", alt.Tooltip("rollouts:N", title="with a hit"), alt.Tooltip("share:Q", format=".1f")],
    )
    ringed = table[table["step"].isin(list(chosen))]
    # Marks of no rows would be an image without a name for a screen reader.
    rings = [alt.Chart(ringed).mark_point(size=200, strokeWidth=2).encode(x=x, y=y)] if len(ringed) else []
    return alt.layer(base.mark_line(opacity=0.6), points.add_params(picked), *rings).properties(height=SHARES_PX)
