"""The page Training: metrics over steps, several runs overlaid, step moments; a click on a point opens its rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from analysis.curves.study import Study
from app import url
from app.markdown import escaped
from app.runs.axes import least_span
from app.runs.curves import DEFAULT_METRICS, about, curves, marks, metric_names, nearest_step
from app.views.address import parameters, read_state, write_state
from app.views.charts import curve_chart, legend
from app.views.context import Context
from app.views.loaded import look_for_moments, study_of, with_known_moments
from app.views.names import run_title
from app.views.opened import draw_followed
from app.views.shown import showing

Smoothing = Literal["auto", "none", "5", "11", "31"]
_SMOOTHING: dict[str, str] = {"auto": "Auto", "none": "None", "5": "5 steps", "11": "11 steps", "31": "31 steps"}
_PICKED = "training:picked"
_ROUND = "training:round"
"""Part of the charts' keys: a click starts a new round, so that going back does not repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    metric: tuple[str, ...] = ()
    """Empty for DEFAULT_METRICS."""
    smoothing: Smoothing = "auto"
    log: bool = False
    responses: bool = False
    """Whether to read the responses for metrics that metrics.jsonl lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsAt:
    """State of the page Rollouts for a training step."""

    run: tuple[str, ...]
    kind: str = ""
    step: tuple[int, ...] = ()


def render(context: Context) -> None:
    """Draw the page."""
    draw_followed(_body, context)


def _body(context: Context) -> None:
    state = read_state(TrainingState)
    studies = [with_known_moments(study_of(entry, reads_responses=state.responses)) for entry in context.runs]
    names = metric_names(studies)
    _follow_click(context, studies)
    _controls(state, names)
    if not names:
        _say_nothing(context, state, studies=studies)
        return
    if unknown := [name for name in state.metric if name not in names]:
        more = "" if state.responses else " *From texts* computes some more."
        st.warning(f"These runs have no metric {escaped(', '.join(name[:60] for name in unknown[:5]))}.{more}")
    chosen = [name for name in state.metric if name in names] or ([] if state.metric else _defaults(names))
    legend([run_title(study.run.name) for study in studies])
    _grid(studies, chosen, state=state)
    _warnings(studies)
    with st.spinner("Searching for step moments"):
        if look_for_moments(studies):
            st.rerun()
    if {entry.name for entry in context.folder.runs() if entry.is_growing} < {
        entry.name for entry in context.runs if entry.is_growing
    }:
        st.rerun()


def _defaults(names: Sequence[str]) -> list[str]:
    return [name for name in DEFAULT_METRICS if name in names] or list(names[:6])


def _controls(state: TrainingState, names: Sequence[str]) -> None:
    wide, smoothing, switches = st.columns([6, 1.3, 2.3], vertical_alignment="bottom")
    shown = showing("training:metric", [name for name in state.metric if name in names])
    wide.multiselect(
        "Metrics", names, key=shown.key, placeholder="default metrics", disabled=not names,
        on_change=shown.chosen(lambda chosen: write_state(TrainingState, metric=tuple(chosen))),
    )  # fmt: skip
    shown = showing("training:smoothing", state.smoothing)
    smoothing.selectbox(
        "Smoothing", list(_SMOOTHING), key=shown.key, format_func=_SMOOTHING.__getitem__,
        on_change=shown.chosen(lambda chosen: write_state(TrainingState, smoothing=chosen)),
        help="Bold: centred mean over this many steps; thin: all steps. Auto: a twentieth of the steps, at most 15.",
    )  # fmt: skip
    with switches.container(horizontal=True, vertical_alignment="center", height=40, border=False):
        shown = showing("training:log", state.log)
        change = shown.chosen(lambda is_on: write_state(TrainingState, log=is_on))
        st.toggle("Log", key=shown.key, on_change=change, help="Logarithmic value axes")
        shown = showing("training:responses", state.responses)
        change = shown.chosen(lambda is_on: write_state(TrainingState, responses=is_on))
        st.toggle(
            "From texts", key=shown.key, on_change=change,
            help="Read the responses too, for metrics that metrics.jsonl lacks. An imported run has no others.",
        )  # fmt: skip


def _grid(studies: Sequence[Study], chosen: Sequence[str], *, state: TrainingState) -> None:
    columns = 1 if len(chosen) == 1 else 2 if len(chosen) in (2, 4) else 3
    height = {1: 520, 2: 320, 3: 235}[columns]
    colours = [run_title(study.run.name) for study in studies]
    window = None if state.smoothing == "auto" else 1 if state.smoothing == "none" else int(state.smoothing)
    unit = studies[0].length_unit
    round_ = st.session_state.get(_ROUND, 0)
    for start in range(0, len(chosen), columns):
        cells = st.columns(columns, gap="medium")
        for cell, metric in zip(cells, chosen[start : start + columns], strict=False):
            description = about(metric, length_unit=unit)
            with cell:
                heading = f"**{escaped(metric)}**  :gray[{escaped(description.unit)} {description.arrow}]"
                st.markdown(heading, help=description.meaning)
                curve, moments = curves(studies, metric, window=window), marks(studies, metric)
                curve["run"], moments["run"] = curve["run"].map(run_title), moments["run"].map(run_title)
                chart = curve_chart(
                    curve, moments,
                    names=colours, is_log=state.log, height=height,
                    least=least_span(studies, list(curve["value"]), unit=description.unit),
                )  # fmt: skip
                key = f"training:chart:{metric}:{round_}"
                st.altair_chart(
                    chart, key=key, on_select=lambda key=key: _clicked(key), selection_mode=["picked"], height=height
                )
    st.caption("Click a point to open the rollouts of that run and step. Triangles: step moments with 95 % intervals.")


def _clicked(key: str) -> None:
    rows = st.session_state[key]["selection"].get("picked") or []
    if rows:
        st.session_state[_PICKED] = rows[0]
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def _follow_click(context: Context, studies: Sequence[Study]) -> None:
    row = st.session_state.pop(_PICKED, None)
    study = next((study for study in studies if row and run_title(study.run.name) == row.get("run")), None)
    step = nearest_step(study, float(row["step"])) if row and study else None
    if study is not None and step is not None:
        others = tuple(entry.name for entry in context.runs if entry.name != study.run.name)
        target = url.parameters(RolloutsAt(run=(study.run.name, *others), kind="train", step=(step,)))
        # Streamlit puts this page with the new address into the history: with its own state it looks the same.
        context.go("rollouts", parameters() | target)


def _warnings(studies: Sequence[Study]) -> None:
    found = [(run_title(study.run.name), step, text) for study in studies for step, text in study.run.warnings]
    if not found:
        return
    with st.expander(f"{len(found)} training warning{'s' if len(found) > 1 else ''}", icon=":material/warning:"):
        for name, step, text in found[-50:]:
            st.markdown(f"{escaped(name)}, step {step}: {escaped(text)}")


def _say_nothing(context: Context, state: TrainingState, *, studies: Sequence[Study]) -> None:
    """Why there is no metric, and what helps: for a run that is training, waiting does."""
    more = "" if state.responses else " Switch on *From texts* to compute metrics from the responses."
    waits = [entry for entry in context.runs if entry.is_growing]
    if waits and any(study.run.kind == "train" for study in studies):
        names = ", ".join(escaped(entry.title) for entry in waits)
        st.info(f"{names}: no training step has been finished yet. The first one appears here by itself.")
    elif any(study.run.kind == "train" for study in studies):
        st.info(f"The training ended before its first step was finished, or the run has no metrics.jsonl.{more}")
    else:
        st.info(f"An evaluation has no training metrics.{more}")


def page_link(run: str, metric: str) -> str:
    """The address of the page for one run and metric."""
    return url.link("training", TrainingState(run=(run,), metric=(metric,)))
