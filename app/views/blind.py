"""Blind comparison: two responses to a question side by side, a choice by key, and the result when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.judging.blind import (
    CHOICES,
    SKIP,
    BlindPair,
    Choice,
    blind_annotations,
    judge,
    judged_by,
    shown_to,
    take_back,
)
from app.judging.blind_pairs import BlindPairs, blind_pairs, checkpoints
from app.judging.side_folder import side_folder
from app.markdown import escaped, plain
from app.queries.keys import RowKey
from app.queries.rows import Text, one_row, text_of
from app.queries.sides import Side, side_of, side_text
from app.runs.evaluations import differing, protocol_card
from app.views.address import write_state
from app.views.blind_result import Comparison, result
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.fragments import fragment
from app.views.names import in_heading
from app.views.opened import OpenRun, author, named_author
from app.views.shown import showing
from app.views.style import ROLLOUT_STYLE
from app.views.texts import show_facts, show_question, show_text
from orz_bench.errors import DataError, counted

_TITLES: Mapping[Choice, str] = {"left": "Left", "right": "Right", "tie": "Tie", "skip": "Skip"}
_KEYS: Mapping[Choice, str] = {"left": "Left", "right": "Right", "tie": "t", "skip": "s"}
_ICONS: Mapping[Choice, str] = {
    "left": ":material/arrow_back:", "right": ":material/arrow_forward:", "tie": ":material/drag_handle:",
    "skip": ":material/skip_next:",
}  # fmt: skip
MAX_NAME_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindState:
    """The part of the page's state that is about a comparison."""

    run: tuple[str, ...] = ()
    bench: str | None = None
    a: str | None = None
    """`RUN@STEP~PROTOCOL`, by default the first evaluation."""
    b: str | None = None
    who: str = ""
    """Of the judge; by default the user."""
    result: bool = False
    """Whether the result is shown, and with it which side was which."""
    differing: bool = False
    """Whether evaluations under different protocols are compared."""


def blind_view(context: Context, state: BlindState, *, runs: Sequence[OpenRun]) -> None:
    """Draw the comparison of two evaluations of these runs."""
    st.html(ROLLOUT_STYLE)
    found = _choose(context, state, runs=runs)
    if found is None:
        return
    left_out = [
        f"{counted(number, 'question')} {why}"
        for number, why in (
            (found.pairs.num_same, "with the same text on both sides"),
            (found.pairs.num_alone, "of one side only"),
            (found.pairs.num_dropped, "without a stored text"),
        )
        if number
    ]
    if left_out:
        st.caption(f"Left out: {'; '.join(left_out)}.")
    if not found.pairs.pairs:
        st.info("No question to judge: these evaluations share none with two different responses.")
        return
    if state.result:
        if found.judge not in shown_to(found.kept.entries(), found.about):
            found.kept.mark_seen(found.about)
        result(context, found, go_on=lambda: write_state(BlindState, result=False))
    else:
        fragment(_judging)(found)


def _choose(context: Context, state: BlindState, *, runs: Sequence[OpenRun]) -> Comparison | None:
    """Draw the choice of benchmark, checkpoints and judge; None, and why, where there is nothing to compare."""
    by_name = {run.name: run for run in runs}
    sides: dict[str, list[Side]] = {}
    for run in runs:
        for benchmark, side in checkpoints(run.index, run=run.name):
            sides.setdefault(benchmark, []).append(side)
    sides = {benchmark: those for benchmark, those in sides.items() if len(those) > 1}
    if not sides:
        st.info("A comparison needs two complete evaluations of one benchmark; choose more runs above.")
        return None
    if state.bench is not None and state.bench not in sides:
        st.warning(escaped(f"These runs have no two evaluations of {state.bench}; choose another benchmark."))
    bench = state.bench if state.bench in sides else next(iter(sides)) if state.bench is None else None
    which, first, second, who = st.columns([2.2, 3, 3, 2], vertical_alignment="bottom")
    shown = showing("blind:bench", bench)
    which.selectbox(
        "Benchmark", list(sides), key=shown.key, format_func=plain, placeholder="choose a benchmark",
        on_change=shown.chosen(lambda name: write_state(BlindState, bench=name, a=None, b=None, result=False)),
    )  # fmt: skip
    if bench is None:
        return None
    usual = _alike(sides[bench])
    with first:
        a = _choose_side(state, "a", known=sides[bench], default=usual[0])
    with second:
        b = _choose_side(state, "b", known=sides[bench], default=usual[-1])
    with who:
        name = _choose_judge(state)
    if a is None or b is None:
        return None
    if a == b:
        st.caption("A and B are the same evaluation; choose another.")
        return None
    if not _may_compare(state, (a, b), by_name=by_name, benchmark=bench):
        return None
    opened = by_name[a.run], by_name[b.run]
    generations = tuple(one.index.generation for one in opened)
    pairs = _pairs(bench, (a, b), generations=generations, _opened=opened)
    kept = blind_annotations(side_folder(context.folder.path), judge=name)
    return Comparison(sides=(a, b), opened=opened, pairs=pairs, kept=kept, judge=name)


def _alike(sides: Sequence[Side]) -> list[Side]:
    """Those under the protocol of most of them; all, where no two have one."""
    counts = Counter(side.fingerprint for side in sides)
    protocol = max(counts, key=counts.__getitem__)
    return [side for side in sides if side.fingerprint == protocol] if counts[protocol] > 1 else list(sides)


def _choose_side(state: BlindState, side: str, *, known: Sequence[Side], default: Side) -> Side | None:
    named = getattr(state, side)
    given = default if named is None else side_of(named)
    chosen = given if given in known else None
    if chosen is None:
        st.warning(escaped(f"{side}={str(named)[:120]!r}: no complete evaluation of these runs; choose another."))
    shown = showing(f"blind:{side}", chosen)
    is_one = len({one.fingerprint for one in known}) == 1
    st.selectbox(
        side.upper(), list(known), key=shown.key, placeholder="choose an evaluation",
        format_func=lambda one: f"{plain(one.run)}, step {one.step}" + ("" if is_one else f", {one.fingerprint}"),
        on_change=shown.chosen(lambda one: write_state(BlindState, **{side: side_text(one), "result": False})),
    )  # fmt: skip
    return chosen


def _choose_judge(state: BlindState) -> str:
    """The judge's name: what a proxy says, else what the address says, else the server's user."""
    proxied = named_author()
    name = proxied or " ".join(state.who.split())[:MAX_NAME_CHARS] or author()
    shown = showing("blind:who", name)
    st.text_input(
        "Judge", key=shown.key, max_chars=MAX_NAME_CHARS, disabled=bool(proxied),
        on_change=shown.chosen(lambda text: write_state(BlindState, who=text)),
        help="Whose judgements these are. Which response stands left follows from the name and the question.",
    )  # fmt: skip
    return name


def _may_compare(
    state: BlindState, sides: tuple[Side, Side], *, by_name: Mapping[str, OpenRun], benchmark: str
) -> bool:
    """Whether the protocols are the same, or the comparison is wanted all the same; says what differs."""
    if sides[0].fingerprint == sides[1].fingerprint:
        return True
    cards = [
        protocol_card(by_name[side.run].index.run, benchmark, step=side.step, fingerprint=side.fingerprint)
        for side in sides
    ]
    text, choice = st.columns([5, 2], vertical_alignment="center")
    text.warning("The protocols differ: " + escaped("; ".join(differing(*cards))[:600]), icon=":material/warning:")
    shown = showing("blind:differing", state.differing)
    choice.toggle(
        "Compare all the same", key=shown.key,
        on_change=shown.chosen(lambda is_on: write_state(BlindState, differing=is_on)),
    )  # fmt: skip
    return state.differing


@st.cache_resource(max_entries=8, show_spinner="Reading the responses")
def _pairs(
    benchmark: str,
    sides: tuple[Side, Side],
    *,
    generations: tuple[int, ...],  # noqa: ARG001  # part of the key: cached until one of the runs has other rollouts
    _opened: tuple[OpenRun, OpenRun],
) -> BlindPairs:
    a, b = zip((one.index for one in _opened), sides, strict=True)
    return blind_pairs(benchmark, a=a, b=b)


def _judging(found: Comparison) -> None:
    with shown_errors():
        _next_pair(found)


def _next_pair(found: Comparison) -> None:
    """The first pair without a judgement, and the keys."""
    own = judged_by(found.kept.entries()).get(found.judge, {})
    pairs = found.pairs.pairs
    done = [pair for pair in pairs if pair.id in own]
    pair = next((pair for pair in pairs if pair.id not in own), None)
    skipped = sum(own[one.id].value == SKIP for one in done)
    said = f"**{len(done):,}** of {counted(len(pairs), 'question')} judged by {escaped(found.judge)}"
    st.markdown(said + (f", {skipped:,} of them skipped" if skipped else "") + ". Which side is which is hidden.")
    last = max(done, key=lambda one: own[one.id].time, default=None)
    _buttons(found, pair, last=last)
    if pair is None:
        st.success("All questions are judged. *Show the result* says which side was which.")
        return
    left, right = (pair.a, pair.b) if pair.a_is_left(found.judge) else (pair.b, pair.a)
    at = {pair.a: found.opened[0], pair.b: found.opened[1]}
    texts = [_text(at[key], key) for key in (left, right)]
    st.markdown(f"**{escaped(in_heading(pair.problem_id))}** · {escaped(pair.benchmark)}")
    show_question(texts[0].question)
    show_facts([("gold", texts[0].gold, "")])
    if texts[0].question != texts[1].question:
        st.warning("These runs ask different questions under this id: the right response answers another one.")
    for title, text, column in zip(("Left", "Right"), texts, st.columns(2, gap="medium"), strict=True):
        with column:
            st.markdown(f"**{title}**")
            show_text(text.completion, (), key=f"blind:{title}:{pair.id}", file_name="response.txt")


def _text(opened: OpenRun, key: RowKey) -> Text:
    row = one_row(opened.index, key)
    if row is None:
        raise DataError("this response is no longer in its run; reload the page.")
    return text_of(opened.index, row)


def _buttons(found: Comparison, pair: BlindPair | None, *, last: BlindPair | None) -> None:
    *choices, undo, result = st.columns([1.2, 1.2, 1, 1, 1, 1.6])
    for choice, column in zip(CHOICES, choices, strict=True):
        column.button(
            _TITLES[choice], key=f"blind:{choice}:{pair.id if pair else ''}", icon=_ICONS[choice], width="stretch",
            shortcut=_KEYS[choice], disabled=pair is None, on_click=_judge, args=(found, pair),
            kwargs={"choice": choice},
        )  # fmt: skip
    undo.button(
        "Undo", key="blind:undo", icon=":material/undo:", shortcut="u", width="stretch", disabled=last is None,
        on_click=lambda: take_back(found.kept, last) if last else None,
    )  # fmt: skip
    if result.button(
        "Show the result", key="blind:result", icon=":material/visibility:", width="stretch",
        help="Says which side was which. What you judge afterwards is not blind, and is left out of the result.",
    ):  # fmt: skip
        write_state(BlindState, result=True)
        st.rerun()


def _judge(found: Comparison, pair: BlindPair, *, choice: Choice) -> None:
    """Keys that are pressed faster than the page is drawn are not a second word on the same pair."""
    if pair.id not in judged_by(found.kept.entries()).get(found.judge, {}):
        judge(found.kept, pair, judge=found.judge, choice=choice)
