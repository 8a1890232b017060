"""The page Benchmarks: results and published results, accuracy over checkpoints, comparison, breakdown by part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.markdown import escaped, plain
from app.runs.evaluations import (
    Evaluated,
    Paired,
    benchmark_names,
    comparable,
    evaluated,
    most_evaluated,
    num_lost,
    num_unfinished,
    paired,
    part_fields,
    parts,
    result_rows,
    score_curves,
    stamp,
    without_scores,
)
from app.views.address import read_state, write_state
from app.views.changed_questions import QuestionAt, changed_questions, follow_picked
from app.views.charts import legend
from app.views.context import Context
from app.views.disagreements import disagreements
from app.views.failures import shown_errors
from app.views.loaded import study_of
from app.views.names import column_px, run_title, told_apart
from app.views.opened import draw_followed
from app.views.palette import colour
from app.views.scaling import scaling
from app.views.score_charts import parts_chart, score_chart
from app.views.shown import showing
from orz_bench.errors import counted
from orz_bench.results.baselines import baselines_for
from orz_bench.results.report import notes_on

_ROW_PX = 30
_NAME_CHARS = 26
_MOST_NOTES = 20
_HASH: dict[str | type[Any], Callable[[Any], Any]] = {
    Evaluated: lambda one: (str(one.path), one.name, one.result.benchmark, one.result.summary.num_samples, stamp(one))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarksState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    bench: str | None = None
    a: str | None = None
    """Evaluated.name of one side of the comparison; by default the first and last of one run, or the last of two."""
    b: str | None = None
    by: str | None = None
    """The field of the questions for the breakdown."""
    differing: bool = False
    """Whether evaluations under different protocols are compared."""
    scaled: str | None = None
    """Evaluated.name of the evaluation whose test-time scaling is shown."""
    critic: str = ""
    """The digest of the critic whose values its rules use, where several have assessed it."""
    partial: bool = False
    """Whether incomplete evaluations are compared too, by the questions that have lost no sample."""


def render(context: Context) -> None:
    """Draw the page."""
    draw_followed(_body, context)


def _body(context: Context) -> None:
    follow_picked(context)
    state = read_state(BenchmarksState)
    studies = [study_of(entry) for entry in context.runs]
    found = evaluated(studies)
    names = benchmark_names(found)
    if not names:
        st.info(without_scores(studies))
        return
    benchmark = _choose_benchmark(state, names, usual=most_evaluated(found))
    if benchmark is None:
        return
    here = [one for one in found if one.result.benchmark == benchmark]
    runs = [study.run.name for study in studies]
    legend([run_title(name) for name in runs])
    whole = _whole(state, here, num_unfinished=num_unfinished(studies, benchmark))
    left, right = st.columns([5, 7], gap="medium")
    with left:
        _curves(here, benchmark, runs=runs)
    with right:
        _results(here, benchmark, context=context)
    compared = here if state.partial else whole
    left, right = st.columns([7, 5], gap="medium")
    with left, shown_errors():
        _comparison(context, state, here=here, compared=compared)
    with right, shown_errors():
        _parts(state, compared, runs=runs)
    with shown_errors():
        scaling(
            context, whole, chosen=state.scaled, critic=state.critic,
            change=partial(write_state, BenchmarksState),
        )  # fmt: skip


def _whole(state: BenchmarksState, here: Sequence[Evaluated], *, num_unfinished: int) -> list[Evaluated]:
    """The evaluations that have lost no sample; says which have, and which have not finished."""
    if num_unfinished:
        st.caption(
            f"{counted(num_unfinished, 'evaluation')} of this benchmark without a summary: not finished, not shown."
        )
    lost = {one.name: number for one in here if (number := _num_lost(one))}
    if lost:
        some = "; ".join(
            f"{_side_title(one.name, is_one_protocol=True)}: {lost[one.name]:,} of {one.result.summary.num_samples:,}"
            for one in here
            if one.name in lost
        )
        text, choice = st.columns([5, 2], vertical_alignment="center")
        text.warning(
            f"Samples are missing or in damaged parts: {escaped(_shortened(some))}. The scores in the table and the "
            "curve are those of all samples. Comparisons and kinds of questions "
            + ("use the questions that have lost none." if state.partial else "leave these evaluations out.")
        )
        shown = showing("benchmarks:partial", state.partial)
        choice.toggle(
            "Compare what is left", key=shown.key,
            on_change=shown.chosen(lambda is_on: write_state(BenchmarksState, partial=is_on)),
            help="Uses the questions of which no sample is lost: these may be easier or harder than all.",
        )  # fmt: skip
    return [one for one in here if one.name not in lost]


def _shortened(text: str, limit: int = 400) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs=_HASH)
def _num_lost(one: Evaluated) -> int:
    return num_lost(one)


def _choose_benchmark(state: BenchmarksState, names: Sequence[str], *, usual: str) -> str | None:
    """The benchmark in the address, by default the usual one; None, and the choice, for one not in these runs."""
    if state.bench is not None and state.bench not in names:
        st.warning(f"These runs have no finished evaluation of {escaped(state.bench)}; choose another benchmark.")
    chosen = usual if state.bench is None else state.bench if state.bench in names else None
    shown = showing("benchmarks:bench", chosen)
    st.segmented_control(
        "Benchmark", names, key=shown.key, label_visibility="collapsed", required=chosen is not None, format_func=plain,
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, bench=name)),
    )  # fmt: skip
    return chosen


def _curves(here: Sequence[Evaluated], benchmark: str, *, runs: Sequence[str]) -> None:
    st.markdown(
        "**Accuracy over checkpoints** :gray[percent]",
        help="Light band: 95 % interval over questions; dark band: of sampling. Dashed: published results, each under "
        "its own protocol.",
    )
    published = baselines_for(benchmark)
    curve = score_curves(here, benchmark)
    curve["run"] = curve["run"].map(run_title)
    chart = score_chart(curve, published, names=[run_title(name) for name in runs], height=290)
    st.altair_chart(chart, key="benchmarks:curves", height=290)


def _results(here: Sequence[Evaluated], benchmark: str, *, context: Context) -> None:
    st.markdown(
        "**Results** :gray[percent]",
        help="95 % question: interval for another sample of such questions; 95 % sampling: interval for n new answers "
        "to the same questions. Published results were obtained under protocols other than ours.",
    )
    table = result_rows(here, benchmark)
    table["model"] = table["model"].map(lambda name: plain(run_title(name)))
    table["model"] = table["model"].map(told_apart(list(table["model"]), limit=_NAME_CHARS))
    for name in ("accuracy", "pass", "majority", "extracted", "second", "cut"):  # as Python rounds on other pages
        table[name] = [None if pd.isna(value) else round(value, 1) for value in table[name]]
    st.dataframe(
        table, key="benchmarks:results", hide_index=True, row_height=_ROW_PX, placeholder="–",
        height=min(290, _ROW_PX * (len(table) + 1) + 5), column_config=_result_columns(table),
    )  # fmt: skip
    disagreements(here, page=context.pages.get("suspicious"))
    notes = notes_on([one.result for one in here])
    if notes:
        with st.expander(f"What to know before quoting these numbers ({len(notes)})"):
            st.markdown("\n".join(f"- {escaped(note)}" for note in notes[:_MOST_NOTES]))


def _result_columns(table: pd.DataFrame) -> dict[str, Any]:
    def number(title: str, *, digits: int = 1, help_: str | None = None) -> Any:
        return st.column_config.NumberColumn(title, format=f"%.{digits}f", width=66, help=help_)

    known = table["n"].dropna().unique()
    n = int(known[0]) if len(known) == 1 else "n"
    return {
        "model": st.column_config.TextColumn("Run or model", pinned=True, width=column_px(table["model"], least=120)),
        "step": st.column_config.NumberColumn("Step", format="%d", width=54),
        "accuracy": number(f"avg@{n}"),
        "question": st.column_config.TextColumn("95 % question", width=96),
        "sampling": st.column_config.TextColumn("95 % sampling", width=92),
        "pass": number(f"pass@{n}"),
        "majority": number(f"maj@{n}"),
        "n": st.column_config.NumberColumn("n", format="%d", width=40),
        "questions": st.column_config.NumberColumn("Questions", format="%d", width=78),
        "extracted": number("Extracted", help_="Samples in which the extractor found an answer."),
        "second": number("2nd extr.", help_="Accuracy under the second extractor."),
        "cut": number("Cut", help_="Samples cut by the token limit."),
        "tokens": number("Tokens", digits=0, help_="Mean number of tokens of a response."),
        "protocol": st.column_config.TextColumn("Protocol", width=110),
        "source": st.column_config.TextColumn("Source", width="medium"),
    }


def _comparison(
    context: Context, state: BenchmarksState, *, here: Sequence[Evaluated], compared: Sequence[Evaluated]
) -> None:
    st.markdown(
        "**Paired comparison** :gray[B against A, on shared questions]",
        help="Interval: bootstrap over questions. p: sign-flip permutation test. Smallest detectable: the difference "
        "that such a comparison detects with 80 % power at the 5 % level.",
    )
    if len(compared) < 2:
        st.caption("A comparison needs two finished evaluations of this benchmark, of two checkpoints or two runs.")
        return
    by_name = {one.name: one for one in compared}
    incomplete = {one.name for one in here} - set(by_name)
    first, second = (one.name for one in comparable(compared)[:2])
    left, right = st.columns(2)
    with left:
        a = _choose_side("a", list(by_name), chosen=state.a or first, incomplete=incomplete)
    with right:
        other = next(name for name in (second, first) if name != a)
        b = _choose_side("b", list(by_name), chosen=state.b or other, incomplete=incomplete)
    if a is None or b is None:
        return
    if a == b:
        st.caption("A and B are the same evaluation; choose another.")
        return
    _show_comparison(context, state, a=by_name[a], b=by_name[b])


def _choose_side(side: str, names: Sequence[str], *, chosen: str, incomplete: Collection[str]) -> str | None:
    """The evaluation in the address; None, and the choice, for one that cannot be compared."""
    known = chosen if chosen in names else None
    if chosen in incomplete:
        st.warning(f"{escaped(chosen)} has lost samples: choose another, or switch on *Compare what is left*.")
    elif known is None:
        st.warning(f"There is no evaluation {escaped(chosen)} of these runs; choose another.")
    is_one_protocol = len({name.rpartition("~")[2] for name in names}) == 1
    shown = showing(f"benchmarks:{side}", known)
    st.selectbox(
        side.upper(), names, key=shown.key, placeholder="choose an evaluation",
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, **{side: name})),
        format_func=lambda name: _side_title(name, is_one_protocol=is_one_protocol),
    )  # fmt: skip
    return known


def _side_title(name: str, *, is_one_protocol: bool) -> str:
    run, _, rest = name.rpartition("@")
    step, _, protocol = rest.partition("~")
    return f"{plain(run_title(run))}, step {step}" + ("" if is_one_protocol else f", protocol {protocol}")


@st.cache_data(max_entries=64, show_spinner="Comparing question by question", hash_funcs=_HASH)
def _paired(a: Evaluated, b: Evaluated) -> Paired:
    return paired(a, b)


def _show_comparison(context: Context, state: BenchmarksState, *, a: Evaluated, b: Evaluated) -> None:
    found = _paired(a, b)
    if found.differing and not _is_wanted(state, found.differing):
        return
    one = found.comparison
    cells = st.columns(5)
    cells[0].metric("A", f"{100 * one.average_a:.1f} %")
    cells[1].metric("B", f"{100 * one.average_b:.1f} %")
    cells[2].metric("B − A, points", f"{100 * one.difference:+.1f}")
    cells[3].metric("95 % interval", f"{100 * one.low:+.1f} to {100 * one.high:+.1f}")
    cells[4].metric("p", f"{one.p_value:.2g}" if one.p_value >= 0.0001 else "< 0.0001")
    effect = one.minimum_detectable_effect
    smallest = f" Smallest detectable difference: {100 * effect:.1f} points." if effect is not None else ""
    alone = one.num_only_a + one.num_only_b
    ignored = f" {counted(alone, 'question')} of only one of them ignored." if alone else ""
    st.caption(f"{counted(one.num_questions, 'shared question')}.{smallest}{ignored}")
    target = QuestionAt(
        run=tuple(dict.fromkeys([b.run, a.run])), bench=b.result.benchmark, problem="", at=(a.name, b.name),
        differing=state.differing,
    )  # fmt: skip
    changed_questions(context, "Gained", names=one.gained, target=target)
    changed_questions(context, "Lost", names=one.lost, target=target)


def _is_wanted(state: BenchmarksState, differing: Sequence[str]) -> bool:
    """Whether evaluations under different protocols are compared all the same; says in what they differ."""
    text, choice = st.columns([5, 2], vertical_alignment="center")
    text.warning("The protocols differ: " + escaped(_shortened("; ".join(differing))), icon=":material/warning:")
    shown = showing("benchmarks:differing", state.differing)
    choice.toggle(
        "Compare all the same", key=shown.key,
        on_change=shown.chosen(lambda is_on: write_state(BenchmarksState, differing=is_on)),
        help="The difference may come from the protocols, not from the models.",
    )  # fmt: skip
    return state.differing


def _parts(state: BenchmarksState, here: Sequence[Evaluated], *, runs: Sequence[str]) -> None:
    st.markdown("**By kind of question** :gray[percent, with 95 % intervals over questions]")
    if not here:
        st.caption("No evaluation of this benchmark has all its samples.")
        return
    fields = _part_fields(here[-1])
    if not fields:
        st.caption("The questions of this benchmark have no subject, level or difficulty.")
        return
    if state.by is not None and state.by not in fields:
        st.warning(f"The questions have no field {escaped(state.by)}; choose another.")
    chosen = fields[0] if state.by is None else state.by if state.by in fields else None
    shown = showing("benchmarks:by", chosen)
    st.segmented_control(
        "By", fields, key=shown.key, label_visibility="collapsed", required=chosen is not None, format_func=plain,
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, by=name)),
    )  # fmt: skip
    if chosen is None:
        return
    ends = comparable(here)
    table = pd.concat([_parts_of(one, chosen).assign(of=_title(one)) for one in ends])
    table["part"] = table["part"].map(plain)
    titles = told_apart([_title(one) for one in ends], limit=50)
    table["of"] = table["of"].map(titles)
    colours = {titles[_title(one)]: colour(runs.index(one.run)) for one in ends}
    st.altair_chart(parts_chart(table, colours=colours), key="benchmarks:parts")


def _title(one: Evaluated) -> str:
    return f"{plain(run_title(one.run))}, step {one.result.step}"


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_HASH)
def _part_fields(one: Evaluated) -> list[str]:
    return part_fields(one)


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=_HASH)
def _parts_of(one: Evaluated, field: str) -> pd.DataFrame:
    return parts(one, field)
