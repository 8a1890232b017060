"""Charts of one question: pass rates of several runs over checkpoints, and the answers at each checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from app.markdown import plain
from app.queries.answers import Answer, Votes
from app.queries.questions import QuestionStep
from app.views.charts import Drawn, run_colours
from orz_bench.errors import counted
from orz_bench.records.intervals import binomial_interval

MOST_ANSWERS = 6
"""Answers with a colour of their own; the others are one."""
_RIGHT, _NONE, _OTHERS = "#0072B2", "#8A8F98", "#C9CDD3"
_WRONG = ("#D55E00", "#CC79A7", "#E69F00", "#8C510A", "#F0E442")
_SHORT = 28


def rates_table(histories: Mapping[str, Sequence[QuestionStep]], fingerprints: Sequence[str]) -> pd.DataFrame:
    """Columns run, step, protocol, share, low, high, samples: complete steps under these protocols, in percent."""
    rows = [
        (run, step.step, step.fingerprint or "training", 100 * step.share, 100 * band.low, 100 * band.high,
         f"{step.num_correct} of {step.num_graded}")
        for run, steps in histories.items()
        for step in steps
        if step.fingerprint in fingerprints and step.share is not None and not step.is_incomplete
        for band in [binomial_interval(step.share, step.num_graded)]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["run", "step", "protocol", "share", "low", "high", "samples"])


def rates_chart(table: pd.DataFrame, *, names: Sequence[str], marked: Sequence[tuple[str, int, str]]) -> Drawn:
    """The pass rate of each run over steps, with 95 % intervals; `marked` points are larger: (run, step, protocol)."""
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, grid=False, format=",d"))
    y = alt.Y("share:Q", title="correct, %", scale=alt.Scale(domain=[0, 100]))
    base = alt.Chart(table).encode(x=x, color=run_colours(names), detail="protocol:N")
    shape = alt.Shape("run:N", scale=alt.Scale(domain=list(names)), legend=None)
    tooltip = [
        alt.Tooltip("run:N"), alt.Tooltip("step:Q", format=","), alt.Tooltip("samples:N", title="correct"),
        alt.Tooltip("low:Q", title="95 % from", format=".0f"), alt.Tooltip("high:Q", title="to", format=".0f"),
        alt.Tooltip("protocol:N"),
    ]  # fmt: skip
    places = pd.Series(list(zip(table["run"], table["step"], table["protocol"], strict=True)), dtype=object)
    chosen = table[places.isin(list(marked)).to_numpy()] if len(table) else table
    rings = alt.Chart(chosen).mark_point(size=230, strokeWidth=2).encode(x=x, y=y, color=run_colours(names))
    # Marks of no rows would be an image without a name for a screen reader.
    return alt.layer(
        base.mark_rule(opacity=0.35).encode(y=alt.Y("low:Q", title="correct, %"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(y=y, strokeDash=alt.StrokeDash("protocol:N", legend=None)),
        base.mark_point(filled=True, size=70, opacity=1).encode(y=y, shape=shape, tooltip=tooltip),
        *([rings] if len(chosen) else []),
    ).properties(height=190)


def answer_rows(columns: Mapping[str, Votes]) -> pd.DataFrame:
    """Columns answer, right, samples, then the percentage in each column: most frequent answers first."""
    totals: dict[Answer, int] = {}
    for votes in columns.values():
        for answer, count in votes.counts.items():
            totals[answer] = totals.get(answer, 0) + count
    known = sorted(totals, key=lambda answer: (not answer.is_right, answer.text is None, -totals[answer]))
    frame = pd.DataFrame({"answer": [answer_title(one) for one in known], "samples": [totals[one] for one in known]})
    shares = {
        title: [100 * votes.counts.get(one, 0) / max(votes.total, 1) for one in known]
        for title, votes in columns.items()
    }
    return pd.concat([frame, pd.DataFrame(shares, index=frame.index)], axis=1)


def answer_title(answer: Answer) -> str:
    """The answer with a sign: ✓ for right, ✗ for not, ∅ for none."""
    if answer.text is None:
        return "∅ no answer"
    return f"{'✓' if answer.is_right else '✗'} {plain(answer.text) or '(empty)'}"


def answers_chart(table: pd.DataFrame) -> Drawn:
    """Stacked shares of the answers in each column of `answer_rows`."""
    columns = [name for name in table.columns if name not in ("answer", "samples")]
    shown = table.head(MOST_ANSWERS)
    if len(table) > MOST_ANSWERS:
        rest = table.iloc[MOST_ANSWERS:]
        others = {"answer": counted(len(rest), "other"), "samples": rest["samples"].sum()} | dict(rest[columns].sum())
        shown = pd.concat([shown, pd.DataFrame([others])], ignore_index=True)
    short = {name: name if len(name) <= _SHORT else name[: _SHORT - 1] + "…" for name in shown["answer"]}
    colours = []
    for number, name in enumerate(shown["answer"]):
        mark = name[0]
        is_others = number == MOST_ANSWERS
        colours.append(
            _OTHERS if is_others else _RIGHT if mark == "✓" else _NONE if mark == "∅" else _WRONG[number % 5]
        )
    long = shown.melt(id_vars=["answer", "samples"], value_vars=columns, var_name="at", value_name="percent")
    long["place"] = long["answer"].map({name: number for number, name in enumerate(shown["answer"])})
    titles = [f"{number + 1}. {short[name]}" for number, name in enumerate(shown["answer"])]
    long["title"] = long["place"].map(dict(enumerate(titles)))
    return alt.layer(
        alt.Chart(long)
        .mark_bar(stroke="white", strokeWidth=0.6)
        .encode(
            x=alt.X("at:N", sort=columns, title=None, axis=alt.Axis(labelAngle=0, labelLimit=160, labelOverlap=True)),
            y=alt.Y("percent:Q", stack=True, title="samples, %", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("title:N", sort=titles, scale=alt.Scale(domain=titles, range=colours),
                            legend=alt.Legend(title=None, labelLimit=220, symbolStrokeWidth=0)),
            order=alt.Order("place:Q"),
            tooltip=["answer:N", "at:N", alt.Tooltip("percent:Q", format=".0f")],
        )
    ).properties(height=190)  # fmt: skip
