"""Test-time scaling of an evaluation: accuracy against k and against tokens, the front, and the paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from analysis.figures.colours import COLOURS, colour_of
from app.judging.side_folder import side_folder
from app.markdown import escaped, plain
from app.runs.evaluations import Evaluated
from app.runs.scaling import ScalingFile, scaling_in, start_scaling
from app.views.charts import Drawn
from app.views.context import Context
from app.views.fragments import fragment
from app.views.names import run_title
from app.views.shown import showing

CHART_PX = 300
_EVERY_S = 1.0


def scaling(
    context: Context,
    here: Sequence[Evaluated],
    *,
    chosen: str | None,
    critic: str,
    change: Callable[..., None],
) -> None:
    """Draw the choice of an evaluation, and its scaling as soon as that is computed.

    `chosen` and `critic` are those of the address, `change` writes them there (scaled=, critic=).
    """
    st.markdown(
        "**Test-time scaling** :gray[rules that choose one of k stored answers]",
        help="What `orz-bench scale` computes from the stored samples; nothing is generated. Bands: 95 % over "
        "questions. Ringed: the front, which no other rule and k equals in accuracy with fewer tokens.",
    )
    several = {one.name: one for one in here if one.result.summary.n > 1}
    if not several:
        st.caption("Every evaluation of this benchmark has one sample a question; rules choose among several.")
        return
    if chosen is not None and chosen not in several:
        st.warning(f"There is no evaluation {escaped(chosen)} with several samples a question; choose another.")
    shown = showing("scaling:of", chosen if chosen in several else None)
    st.selectbox(
        "Evaluation", list(several), key=shown.key, placeholder="choose an evaluation", label_visibility="collapsed",
        format_func=lambda name: plain(name.replace(several[name].run, run_title(several[name].run), 1)),
        on_change=shown.chosen(lambda name: change(scaled=name)),
    )  # fmt: skip
    if chosen in several:
        _of_one(context, several[chosen], critic=critic, change=change)


def _of_one(context: Context, one: Evaluated, *, critic: str, change: Callable[..., None]) -> None:
    file = ScalingFile(of=one, critic=critic, side=side_folder(context.folder.path))
    critics = file.critics()
    if critic and critic not in critics:
        st.warning(f"The critic {escaped(critic)} has not assessed this evaluation.")
        file = replace(file, critic="")
    if len(critics) > 1 or (critics and critic not in ("", *critics)):
        shown = showing("scaling:critic", critic if critic in critics else None)
        st.selectbox(
            "Critic", critics, key=shown.key, placeholder="choose a critic",
            on_change=shown.chosen(lambda digest: change(critic=digest)),
        )  # fmt: skip
        if critic not in critics:
            return
    path = file.path
    found = scaling_in(path)
    if found is None:
        fragment(_waiting, run_every=_EVERY_S)(file)
    elif "error" in found:
        st.warning(escaped(str(found["error"])))
    else:
        _show(found["scaling"])


def _waiting(file: ScalingFile) -> None:
    path = file.path
    is_running = start_scaling(file, path)
    if scaling_in(path) is not None:
        st.rerun()
    if is_running:
        st.caption("Computing the rules over subsets of the stored answers…")
    else:
        st.warning("The computation ended without a result; run orz-bench scale on this run to see why.")


def _show(found: Mapping[str, Any]) -> None:
    points = pd.DataFrame(found["points"])
    points[["accuracy", "low", "high"]] = 100 * points[["accuracy", "low", "high"]].astype(float)
    names = [rule["name"] for rule in found["rules"]]
    left, right = st.columns(2, gap="medium")
    for column, x, title in ((left, "k", "samples k"), (right, "length", f"{found['unit']} a question")):
        with column:
            st.altair_chart(_chart(points, names, x=x, title=title), key=f"scaling:{x}", height=CHART_PX)
    if found["comparisons"]:
        st.dataframe(_pairs(found["comparisons"]), key="scaling:pairs", hide_index=True, column_config=_COLUMNS)
    critic = f"Values of the critic {found['critic']}. " if found["critic"] else ""
    said = escaped(f"{critic}{'; '.join(map(str, found['notes']))}.")
    st.caption(f"{found['num_questions']:,} questions, n = {found['n']}. {said}")


def _chart(points: pd.DataFrame, names: Sequence[str], *, x: str, title: str) -> Drawn:
    colours = [colour_of(at + at // (len(COLOURS) - 1)) for at in range(len(names))]  # no black: invisible in the dark
    picked = alt.selection_point(fields=["rule"], bind="legend", name=f"picked_{x}")
    base = alt.Chart(points).encode(
        x=alt.X(f"{x}:Q", title=title, scale=alt.Scale(type="log", base=2 if x == "k" else 10, nice=False)),
        color=alt.Color(
            "rule:N",
            scale=alt.Scale(domain=list(names), range=colours),
            legend=alt.Legend(title=None, orient="right", symbolOpacity=1),
        ),
        opacity=alt.condition(picked, alt.value(1.0), alt.value(0.12)),
    )
    y = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("rule:N"), alt.Tooltip("k:Q"), alt.Tooltip("length:Q", title="a question", format=",.0f"),
        alt.Tooltip("accuracy:Q", format=".1f"), alt.Tooltip("low:Q", title="95 % from", format=".1f"),
        alt.Tooltip("high:Q", title="to", format=".1f"), alt.Tooltip("on_front:N", title="on the front"),
    ]  # fmt: skip
    band = base.mark_area().encode(
        y=alt.Y("low:Q", title="accuracy, %"), y2="high:Q", opacity=alt.condition(picked, alt.value(0.07), alt.value(0))
    )
    line = base.mark_line(strokeWidth=2).encode(
        y=y, strokeDash=alt.condition("datum.rule == 'pass'", alt.value([5, 4]), alt.value([1, 0]))
    )
    dots = base.mark_point(filled=True, size=36).encode(y=y, tooltip=tooltip)
    rings = base.transform_filter("datum.on_front").mark_point(size=150, strokeWidth=2).encode(y=y, tooltip=tooltip)
    return alt.layer(band, line, dots.add_params(picked), rings)


def _pairs(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "rule": pair["b"]["rule"],
                "against": pair["a"]["rule"],
                "length": pair["lengths"][1],
                "difference": 100 * pair["difference"],
                "low": 100 * pair["low"],
                "high": 100 * pair["high"],
                "p": pair["p_holm"],
                "detectable": None
                if pair["minimum_detectable_effect"] is None
                else 100 * pair["minimum_detectable_effect"],
            }
            for pair in found
        ]
    )


def _points(label: str) -> Any:
    return st.column_config.NumberColumn(label, format="%+.1f")


_COLUMNS: Mapping[str, Any] = {
    "rule": "Rule",
    "against": "Against",
    "length": st.column_config.NumberColumn("At so many a question", format="%.0f"),
    "difference": _points("Difference, points"),
    "low": _points("95 % from"),
    "high": _points("to"),
    "p": st.column_config.NumberColumn("p (Holm)", format="%.3g"),
    "detectable": st.column_config.NumberColumn("Detectable", format="%.1f"),
}
