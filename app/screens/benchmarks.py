"""The page Benchmarks: results and published results, accuracy over checkpoints, comparison, breakdown by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.context import Context
from app.markdown import escaped
from app.runs.evaluations import (
    Evaluated,
    Paired,
    benchmark_names,
    evaluated,
    paired,
    part_fields,
    parts,
    result_rows,
    score_curves,
)
from app.views.address import read_state, write_state
from app.views.charts import legend
from app.views.disagreements import disagreements
from app.views.failures import shown_errors
from app.views.loaded import study_of
from app.views.score_charts import parts_chart, score_chart
from app.views.shown import showing
from orz_bench.errors import counted
from orz_bench.results.baselines import baselines_for
from orz_bench.results.report import notes_on

_ROW_PX = 30
_SHOWN_QUESTIONS = 12
_MOST_NOTES = 20
_HASH: dict[str | type[Any], Callable[[Any], Any]] = {
    Evaluated: lambda one: (str(one.path), one.name, one.result.benchmark, one.result.summary.num_samples)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAt:
    """State of the page Question for a question of a benchmark."""

    run: tuple[str, ...]
    bench: str
    problem: str


def render(context: Context) -> None:
    """Draw the page."""
    st.fragment(_body, run_every=context.tail_s)(context)


def _body(context: Context) -> None:
    with shown_errors():
        state = read_state(BenchmarksState)
        studies = [study_of(entry) for entry in context.runs]
        found = evaluated(studies)
        names = benchmark_names(found)
        if not names:
            st.info("No finished evaluation. `orz-bench eval --ckpt RUN` evaluates all checkpoints of a run.")
            return
        benchmark = _choose_benchmark(state, names)
        here = [one for one in found if one.result.benchmark == benchmark]
        runs = [study.run.name for study in studies]
        legend(runs)
        left, right = st.columns([5, 7], gap="medium")
        with left:
            _curves(here, benchmark, runs=runs)
        with right:
            _results(here, benchmark, context=context)
        left, right = st.columns([7, 5], gap="medium")
        with left, shown_errors():
            _comparison(context, state, here=here)
        with right, shown_errors():
            _parts(state, here)


def _choose_benchmark(state: BenchmarksState, names: Sequence[str]) -> str:
    if state.bench is not None and state.bench not in names:
        st.warning(f"These runs have no finished evaluation of {escaped(state.bench)}.")
    chosen = state.bench if state.bench in names else names[0]
    shown = showing("benchmarks:bench", chosen)
    st.segmented_control(
        "Benchmark", names, key=shown.key, label_visibility="collapsed", required=True,
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, bench=name)),
    )  # fmt: skip
    return str(chosen)


def _curves(here: Sequence[Evaluated], benchmark: str, *, runs: Sequence[str]) -> None:
    st.markdown(
        "**Accuracy over checkpoints** :gray[percent]",
        help="Light band: 95 % interval over questions; dark band: of sampling. Dashed: published results, each under "
        "its own protocol.",
    )
    published = baselines_for(benchmark)
    chart = score_chart(score_curves(here, benchmark), published, names=runs, height=290)
    st.altair_chart(chart, key="benchmarks:curves", height=290)


def _results(here: Sequence[Evaluated], benchmark: str, *, context: Context) -> None:
    st.markdown(
        "**Results** :gray[percent]",
        help="95 % question: interval for another sample of such questions; 95 % sampling: interval for n new answers "
        "to the same questions. Published results were obtained under protocols other than ours.",
    )
    table = result_rows(here, benchmark)
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
        return st.column_config.NumberColumn(title, format=f"%.{digits}f", width=74, help=help_)

    n = int(table["n"].max()) if table["n"].notna().any() else 1
    return {
        "model": st.column_config.TextColumn("Run or model", pinned=True, width=150),
        "step": st.column_config.NumberColumn("Step", format="%d", width=54),
        "accuracy": number(f"avg@{n}"),
        "question": st.column_config.TextColumn("95 % question", width=92),
        "sampling": st.column_config.TextColumn("95 % sampling", width=92),
        "pass": number(f"pass@{n}"),
        "majority": number(f"maj@{n}"),
        "n": st.column_config.NumberColumn("n", format="%d", width=44),
        "questions": st.column_config.NumberColumn("Questions", format="%d", width=74),
        "extracted": number("Extracted", help_="Samples in which the extractor found an answer."),
        "second": number("2nd extr.", help_="Accuracy under the second extractor."),
        "cut": number("Cut", help_="Samples cut by the token limit."),
        "tokens": number("Tokens", digits=0, help_="Mean number of tokens of a response."),
        "protocol": st.column_config.TextColumn("Protocol", width=110),
        "source": st.column_config.TextColumn("Source", width="medium"),
    }


def _comparison(context: Context, state: BenchmarksState, *, here: Sequence[Evaluated]) -> None:
    st.markdown(
        "**Paired comparison** :gray[B against A, on shared questions]",
        help="Interval: bootstrap over questions. p: sign-flip permutation test. Smallest detectable: the difference "
        "that such a comparison detects with 80 % power at the 5 % level.",
    )
    if len(here) < 2:
        st.caption("A comparison needs two finished evaluations of this benchmark, of two checkpoints or two runs.")
        return
    by_name = {one.name: one for one in here}
    names = list(by_name)
    first, second = (one.name for one in _ends_of_runs(here)[:2])
    left, right = st.columns(2)
    with left:
        a = _choose_side("a", names, chosen=state.a or first)
    with right:
        b = _choose_side("b", names, chosen=state.b or next(n for n in (second, first) if n != a))
    if a == b:
        st.caption("A and B are the same evaluation; choose another.")
        return
    _show_comparison(context, _paired(by_name[a], by_name[b]), b=by_name[b])


def _choose_side(side: str, names: Sequence[str], *, chosen: str) -> str:
    if chosen not in names:
        st.warning(f"There is no evaluation {escaped(chosen)} of these runs.")
        chosen = names[0] if side == "a" else names[-1]
    is_one_protocol = len({name.rpartition("~")[2] for name in names}) == 1
    shown = showing(f"benchmarks:{side}", chosen)
    st.selectbox(
        side.upper(), names, key=shown.key,
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, **{side: name})),
        format_func=lambda name: _side_title(name, is_one_protocol=is_one_protocol),
    )  # fmt: skip
    return chosen


def _side_title(name: str, *, is_one_protocol: bool) -> str:
    run, _, rest = name.rpartition("@")
    step, _, protocol = rest.partition("~")
    return f"{run}, step {step}" + ("" if is_one_protocol else f", protocol {protocol}")


@st.cache_data(max_entries=64, show_spinner="Comparing question by question", hash_funcs=_HASH)
def _paired(a: Evaluated, b: Evaluated) -> Paired:
    return paired(a, b)


def _show_comparison(context: Context, found: Paired, *, b: Evaluated) -> None:
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
    if found.differing:
        st.warning("The protocols differ: " + escaped("; ".join(found.differing)), icon=":material/warning:")
    _questions(context, "Gained", names=one.gained, side=b)
    _questions(context, "Lost", names=one.lost, side=b)


def _questions(context: Context, title: str, *, names: Sequence[str], side: Evaluated) -> None:
    """Links to the first questions."""
    if not names:
        st.caption(f"{title}: none.")
        return
    with st.container(horizontal=True, gap=None, vertical_alignment="center", key=f"questions-{title.lower()}"):
        st.caption(f"{title} {len(names):,}:", width="content")
        for name in names[:_SHOWN_QUESTIONS]:
            if "question" in context.pages:
                target = QuestionAt(run=(side.run,), bench=side.result.benchmark, problem=name)
                st.page_link(context.pages["question"], label=escaped(name[:24]), query_params=_query(target))
        if len(names) > _SHOWN_QUESTIONS:
            st.caption(f"and {len(names) - _SHOWN_QUESTIONS:,} more", width="content")


def _query(target: QuestionAt) -> dict[str, list[str]]:
    return {"run": list(target.run), "bench": [target.bench], "problem": [target.problem]}


def _parts(state: BenchmarksState, here: Sequence[Evaluated]) -> None:
    st.markdown("**By kind of question** :gray[percent, with 95 % intervals over questions]")
    last = here[-1]
    fields = _part_fields(last)
    if not fields:
        st.caption("The questions of this benchmark have no subject, level or difficulty.")
        return
    chosen = state.by if state.by in fields else fields[0]
    shown = showing("benchmarks:by", chosen)
    st.segmented_control(
        "By", fields, key=shown.key, label_visibility="collapsed", required=True,
        on_change=shown.chosen(lambda name: write_state(BenchmarksState, by=name)),
    )  # fmt: skip
    ends = _ends_of_runs(here)
    table = pd.concat([_parts_of(one, str(chosen)).assign(of=_title(one)) for one in ends])
    st.altair_chart(parts_chart(table, names=[_title(one) for one in ends]), key="benchmarks:parts")


def _ends_of_runs(here: Sequence[Evaluated]) -> list[Evaluated]:
    """The first and the last evaluation of a single run, or the last of each of several."""
    runs = list(dict.fromkeys(one.run for one in here))
    if len(runs) == 1:
        return [here[0], here[-1]] if len(here) > 1 else [here[0]]
    return [[one for one in here if one.run == run][-1] for run in runs]


def _title(one: Evaluated) -> str:
    return f"{one.run}, step {one.result.step}"


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_HASH)
def _part_fields(one: Evaluated) -> list[str]:
    return part_fields(one)


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=_HASH)
def _parts_of(one: Evaluated, field: str) -> pd.DataFrame:
    return parts(one, field)
