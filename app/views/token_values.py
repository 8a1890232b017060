"""The values of the open response: which critic gave them, the strip, the curve over the tokens, and its drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from app.markdown import escaped
from app.queries.critics import StoredValues, critics_of, stored_values
from app.queries.rows import Row
from app.reader.markup import Mark
from app.reader.values import MIN_DROP, Drop, advantage_marks, curve_points, largest_drops, strip_html, value_marks
from app.views import address
from app.views.charts import Drawn
from app.views.opened import OpenRun
from app.views.shown import showing
from orz_bench.records.values import CriticCard

CURVE_PX = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessedResponse:
    """A response with its values."""

    key: str
    critic: CriticCard
    stored: StoredValues
    reward: float | None
    """1 for a right response that was not cut, or the reward itself where that is 0 or 1; None without a verdict."""
    drops: Sequence[Drop]

    @property
    def layers(self) -> set[str]:
        """The layers that it has."""
        return {"value"} if self.reward is None else {"value", "advantage"}

    def marks(self, on: Sequence[str]) -> list[Mark]:
        """The marks of its layers that are on."""
        values, ends = self.stored.values, self.stored.char_ends
        marks = value_marks(values, ends) if "value" in on else []
        if "advantage" in on and self.reward is not None:
            marks += advantage_marks(values, ends, reward=self.reward)
        return marks


def assessed_response(opened: OpenRun, row: Row, *, text: str) -> AssessedResponse | None:
    """The values of the chosen critic; None where none has assessed this response. Draws the choice among several."""
    critics = critics_of(opened.index, row)
    if not critics:
        if address.value(address.CRITIC):
            st.caption("No critic has values for this response: orz-bench value computes them.")
        return None
    by_digest = {card.digest: card for card in critics}
    chosen = address.one_of(address.CRITIC, list(by_digest))
    if len(by_digest) > 1:
        shown = showing("reader:critic", chosen)
        st.selectbox(
            "Critic", list(by_digest), key=shown.key,
            on_change=shown.chosen(lambda digest: address.put(address.CRITIC, digest)),
        )  # fmt: skip
    found = stored_values(opened.index, row, critic=chosen, text=text)
    if found is None:
        st.caption(f"The critic {escaped(chosen)} has no values for this text; run orz-bench value again.")
        return None
    return AssessedResponse(
        key=f"{opened.name}:{row.id}",
        critic=by_digest[chosen],
        stored=found,
        reward=_reward(row),
        drops=largest_drops(found.values, found.char_ends),
    )


def _reward(row: Row) -> float | None:
    if row.reward in (0.0, 1.0):
        return row.reward
    return None if row.verdict is None else float(row.verdict == "correct" and row.stop_reason != "length")


def show_values(found: AssessedResponse) -> None:
    """Draw the strip, the curve, and which critic it is; the drops are places of the text below."""
    card = found.critic
    whose = f"{escaped(card.digest)} (format {escaped(card.format[:60])}, from {escaped(card.path[-120:])})"
    st.caption(
        f"Values by the critic {whose}: the expected reward before each token, 0 red, 1 blue. "
        "The advantage is reward minus value."
    )
    st.html(strip_html(found.stored.values))
    st.altair_chart(_curve(found), key="reader:values", height=CURVE_PX)
    if not found.drops:
        st.caption(f"The value has no drop of {MIN_DROP} or more.")


def _curve(found: AssessedResponse) -> Drawn:
    values = found.stored.values
    table = pd.DataFrame(curve_points(values), columns=["token", "value"])
    drops = pd.DataFrame(
        [(drop.first + 1, drop.before, -drop.size) for drop in found.drops], columns=["token", "value", "change"]
    )
    scale = alt.Scale(domain=[min(0.0, *table["value"], 0.0), max(1.0, *table["value"], 1.0)], nice=False)
    x = alt.X(
        "token:Q",
        title=None,
        axis=alt.Axis(format=",d", grid=False, tickMinStep=1),
        scale=alt.Scale(domain=[1, len(values)]),
    )
    y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=3))
    tooltip = [alt.Tooltip("token:Q", format=","), alt.Tooltip("value:Q", format=".2f")]
    line = alt.Chart(table).mark_line(interpolate="step-after", strokeWidth=1.6).encode(x=x, y=y, tooltip=tooltip)
    marks = (
        alt.Chart(drops)
        .mark_point(shape="triangle-down", filled=True, size=70, color="#B00020", opacity=1)
        .encode(x=x, y=y, tooltip=[*tooltip, alt.Tooltip("change:Q", format="+.2f")])
    )
    return alt.layer(line, marks)
