"""The page Matrix: questions x checkpoints of a run, or x runs, as pass rates; and questions with a wrong majority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
import streamlit as st

from app.markdown import escaped, plain
from app.queries.facts import fact_values, question_facts
from app.queries.filters import chosen_facts
from app.queries.rates import (
    Matrix,
    MatrixOrder,
    Series,
    margins,
    ordered,
    rates,
    series_of,
    side_by_side,
    steps_of,
    unrated,
)
from app.queries.sides import Side, side_text
from app.views.address import parameters, read_state, write_state
from app.views.agreed import agreed_questions
from app.views.context import Context
from app.views.facts import facts_choice
from app.views.failures import shown_errors
from app.views.matrix_chart import drawn_rows, matrix_chart
from app.views.names import run_title, told_apart
from app.views.opened import OpenRun, open_run, show_damage
from app.views.shown import showing
from orz_bench.errors import counted

_ORDERS = {
    "learned": "most learned first", "forgotten": "most forgotten first", "unstable": "least stable first",
    "hardest": "hardest first", "id": "by id",
}  # fmt: skip
_VIEWS = {"rates": "Pass rates", "answers": "Wrong majority"}
TRAINING = "training"
"""The value of `protocol` for the rollouts of training."""
_PICKED, _ROUND = "matrix:picked", "matrix:round"
_ROW_PX = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    bench: str | None = None
    protocol: str | None = None
    """Fingerprint, or `training`; by default the protocol with the most checkpoints."""
    rank: MatrixOrder = "learned"
    about: tuple[str, ...] = ()
    """`level=5`: only these questions."""
    view: Literal["rates", "answers"] = "rates"
    differing: bool = False
    """Whether runs that were evaluated under other protocols are shown too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A column: a checkpoint of an opened run."""

    side: Side
    opened: OpenRun


def render(context: Context) -> None:
    """Draw the page: one run over its checkpoints, several at their last ones."""
    state = read_state(MatrixState)
    runs = [open_run(replace(context, runs=(entry,)), measures=False) for entry in context.runs]
    for run in runs:
        show_damage(run, is_named=len(runs) > 1)
    found = series_of(runs[0].index)
    series = _choose_series(state, found)
    if series is None:
        return
    columns = _columns(state, runs, series=series)
    if not columns:
        st.info("No checkpoint of these questions has all its samples.")
        return
    _follow(context, columns, benchmark=series.benchmark)
    matrix = _matrix(columns, series, is_one=len(runs) == 1)
    kept = _of_kind(state, runs[0], series=series, matrix=matrix)
    with shown_errors():
        if state.view == "answers":
            agreed_questions(context, [(one.side, one.opened) for one in columns], titles=matrix.columns,
                             benchmark=series.benchmark, problems=set(kept.problems))  # fmt: skip
        else:
            _say_unrated(columns, titles=matrix.columns, benchmark=series.benchmark)
            _rates(state, kept, of="step" if len(runs) == 1 else "run")


def _choose_series(state: MatrixState, found: Sequence[Series]) -> Series | None:
    """The benchmark and protocol of the address, by default that of most checkpoints; None for what is not there."""
    if not found:
        st.info("No rollout yet: a matrix needs questions that were asked at one checkpoint or more.")
        return None
    names = list(dict.fromkeys(one.benchmark for one in found))
    usual = max(found, key=lambda one: (one.fingerprint != "", one.num_steps)).benchmark
    if state.bench is not None and state.bench not in names:
        st.warning(f"This run has no rollouts of {escaped(state.bench)}; choose another benchmark.")
    benchmark = usual if state.bench is None else state.bench if state.bench in names else None
    which, protocol, view = st.columns([4, 3, 3], vertical_alignment="bottom")
    shown = showing("matrix:bench", benchmark)
    which.selectbox(
        "Benchmark", names, key=shown.key, format_func=plain, placeholder="choose a benchmark",
        on_change=shown.chosen(lambda name: write_state(MatrixState, bench=name, protocol=None, about=())),
    )  # fmt: skip
    if benchmark is None:
        return None
    here = {one.fingerprint or TRAINING: one for one in found if one.benchmark == benchmark}
    if state.protocol is not None and state.protocol not in here:
        st.warning(
            escaped(f"This run was not evaluated on {benchmark} under protocol {state.protocol}; choose another.")
        )
    chosen = next(iter(here)) if state.protocol is None else state.protocol if state.protocol in here else None
    shown = showing("matrix:protocol", chosen)
    protocol.selectbox(
        "Protocol", list(here), key=shown.key, placeholder="choose a protocol",
        format_func=lambda name: f"{plain(name)}, {counted(here[name].num_steps, 'step')}",
        on_change=shown.chosen(lambda name: write_state(MatrixState, protocol=name)),
    )  # fmt: skip
    shown = showing("matrix:view", state.view)
    view.segmented_control(
        "Show", list(_VIEWS), key=shown.key, format_func=_VIEWS.__getitem__, required=True,
        on_change=shown.chosen(lambda name: write_state(MatrixState, view=name)),
    )  # fmt: skip
    return here[chosen] if chosen is not None else None


def _columns(state: MatrixState, runs: Sequence[OpenRun], *, series: Series) -> list[At]:
    """The checkpoints of one run, or the last one of each; says which are left out."""
    if series.num_incomplete:
        st.caption(f"{counted(series.num_incomplete, 'checkpoint')} left out: samples are missing or damaged.")
    if len(runs) == 1:
        steps = steps_of(runs[0].index, series.benchmark, fingerprint=series.fingerprint)
        return [At(side=Side(runs[0].name, step, series.fingerprint), opened=runs[0]) for step in steps]
    found: list[At] = []
    other: list[str] = []
    for run in runs:
        here = [one for one in series_of(run.index) if one.benchmark == series.benchmark]
        best = max(here, key=lambda one: (one.fingerprint == series.fingerprint, one.num_steps), default=None)
        steps = steps_of(run.index, series.benchmark, fingerprint=best.fingerprint) if best else []
        if best is None or not steps:
            st.caption(f"{escaped(run_title(run.name))} has no complete evaluation of {escaped(series.benchmark)}.")
            continue
        if best.fingerprint != series.fingerprint:
            other.append(run_title(run.name))
        if best.fingerprint == series.fingerprint or state.differing:
            found.append(At(side=Side(run.name, steps[-1], best.fingerprint), opened=run))
    if other:
        _say_differing(state, other)
    return found


def _say_differing(state: MatrixState, names: Sequence[str]) -> None:
    text, choice = st.columns([5, 2], vertical_alignment="center")
    said = "shown too" if state.differing else "left out"
    text.warning(escaped(f"Evaluated under another protocol, and {said}: {', '.join(names)[:300]}."))
    shown = showing("matrix:differing", state.differing)
    choice.toggle(
        "Compare all the same", key=shown.key,
        on_change=shown.chosen(lambda is_on: write_state(MatrixState, differing=is_on)),
    )  # fmt: skip


def _matrix(columns: Sequence[At], series: Series, *, is_one: bool) -> Matrix:
    if is_one:
        return rates(columns[0].opened.index, series.benchmark, fingerprint=series.fingerprint)
    titles = told_apart([run_title(one.side.run) for one in columns], limit=18)
    return side_by_side(
        {
            titles[run_title(one.side.run)]: rates(
                one.opened.index, series.benchmark, fingerprint=one.side.fingerprint, step=one.side.step
            )
            for one in columns
        }
    )


def _of_kind(state: MatrixState, run: OpenRun, *, series: Series, matrix: Matrix) -> Matrix:
    """The questions of the chosen kinds, with the choice of these and of the order."""
    facts, order = st.columns([7, 3], vertical_alignment="bottom")
    with facts:
        facts_choice(
            fact_values(run.index, benchmark=series.benchmark), state.about, name="matrix:about",
            write=lambda texts: write_state(MatrixState, about=texts),
        )  # fmt: skip
    if state.view == "rates":
        shown = showing("matrix:rank", state.rank)
        order.selectbox(
            "Order", list(get_args(MatrixOrder)), key=shown.key, format_func=_ORDERS.__getitem__,
            on_change=shown.chosen(lambda name: write_state(MatrixState, rank=name)),
            help="Learned: last minus first pass rate. Forgotten: the best one minus the last. Least stable: "
            "the sum of all changes beyond that. Hardest: the lowest mean.",
        )  # fmt: skip
    if not state.about:
        return matrix
    known, wanted = question_facts(run.index), chosen_facts(state.about)
    return matrix.chosen(
        [
            row
            for row, problem in enumerate(matrix.problems)
            if all(known.get((series.benchmark, problem), {}).get(field) in values for field, values in wanted.items())
        ]
    )


def _say_unrated(columns: Sequence[At], *, titles: Sequence[str], benchmark: str) -> None:
    """Which checkpoints have no verdicts, and why: their cells are empty, not 0."""
    by_why: dict[str, list[str]] = {}
    for run in dict.fromkeys(one.opened.name for one in columns):
        here = [(title, one.side) for title, one in zip(titles, columns, strict=True) if one.opened.name == run]
        index = next(one.opened.index for one in columns if one.opened.name == run)
        found = {name: unrated(index, benchmark, fingerprint=name) for name in {side.fingerprint for _, side in here}}
        for title, side in here:
            if (why := found[side.fingerprint].get(side.step)) is not None:
                by_why.setdefault(why, []).append(title)
    for why, names in by_why.items():
        more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
        st.caption(escaped(f"No verdicts at {', '.join(names[:10])}{more}: {why}."))


def _rates(state: MatrixState, matrix: Matrix, *, of: str) -> None:
    if not matrix.problems:
        st.info("No question is of that kind.")
        return
    if not np.isfinite(matrix.shares).any():
        st.info("No verdicts, and so no pass rates.")
        return
    shown = ordered(matrix, state.rank)
    number = drawn_rows(shown)
    means = f"mean {100 * np.nanmean(margins(shown).mean):.1f} %"
    cut = f"; the first {number:,} in this order are drawn" if number < len(shown.problems) else ""
    columns = counted(len(shown.columns), "checkpoint" if of == "step" else "run")
    shared = int(np.isfinite(shown.shares).all(axis=1).sum())
    some = f", {shared:,} of them in all" if shared < len(shown.problems) else ""
    questions = counted(len(shown.problems), "question")
    st.caption(f"{questions} x {columns}{some}, {means}{cut}. A cell or a row opens the question.")
    shown = shown.chosen(range(number))
    table, chart = st.columns([4, 8], gap="medium")
    key = f"{st.session_state.get(_ROUND, 0)}:{hash(shown.problems)}"
    with chart:
        name = f"matrix:chart:{key}"
        matrix_chart(shown, of=of, key=name, on_pick=lambda: _clicked(name, shown))
    with table:
        _table(shown, key=f"matrix:table:{key}")


def _table(matrix: Matrix, *, key: str) -> None:
    """The same by keyboard: the questions in their order with their figures; a row opens one."""
    found = margins(matrix)
    figures = {"first": found.first, "last": found.last, "mean": found.mean, "lost": found.forgotten}
    names = list(map(plain, matrix.problems))
    short = told_apart(names, limit=18)
    frame = pd.DataFrame({"question": [short[name] for name in names]} | {k: 100 * v for k, v in figures.items()})
    number = st.column_config.NumberColumn
    st.dataframe(
        frame, key=key, hide_index=True, row_height=_ROW_PX, placeholder="–",
        selection_mode=["single-row", "single-cell"],
        height=min(len(frame) * _ROW_PX + 40, 430), on_select=lambda: _chosen(key, matrix.problems),
        column_config={name: number(f"{name}, %", format="%.0f", width=62) for name in figures}
        | {"question": st.column_config.TextColumn(width=130)},
    )  # fmt: skip


def _chosen(key: str, problems: Sequence[str]) -> None:
    state = st.session_state[key]["selection"]
    rows = [cell[0] for cell in state["cells"]] or state["rows"]
    if rows and rows[0] < len(problems):
        _pick({"problem": problems[rows[0]], "column": ""})


def _clicked(key: str, matrix: Matrix) -> None:
    cell = st.session_state[key].get("picked")
    if cell and 0 <= cell[0] < len(matrix.problems) and 0 <= cell[1] < len(matrix.columns):
        _pick({"problem": matrix.problems[cell[0]], "column": matrix.columns[cell[1]]})


def _pick(place: dict[str, str]) -> None:
    st.session_state[_PICKED] = place
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _follow(context: Context, columns: Sequence[At], *, benchmark: str) -> None:
    """Open the question that was clicked on, at the checkpoint of the cell, or at the first and last one."""
    place = st.session_state.pop(_PICKED, None)
    if place is None:
        return
    titles = [str(one.side.step) for one in columns]
    if len({one.side.run for one in columns}) > 1:
        short = told_apart([one.side.run for one in columns], limit=18)
        titles = [short[one.side.run] for one in columns]
    ends = [columns[0].side, columns[-1].side] if len(titles) > 1 else [columns[0].side]
    sides = [columns[titles.index(place["column"])].side] if place.get("column") in titles else ends
    target = {
        "run": list(dict.fromkeys([sides[0].run, *(one.side.run for one in columns)])),
        "bench": [benchmark], "problem": [place["problem"]], "at": [side_text(side) for side in sides],
    }  # fmt: skip
    # With this page's own state too: Streamlit puts this page with the new address into the history.
    context.go("question", parameters() | target)
