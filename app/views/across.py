"""One question at checkpoints of any runs: pass rates overlaid, answers, and samples side by side with a diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from app.markdown import escaped, plain
from app.queries.answers import Votes, votes
from app.queries.questions import QuestionStep, history
from app.queries.rows import Row, Text, one_row, text_of
from app.queries.sides import Side
from app.reader.differences import differences
from app.reader.markup import Mark
from app.runs.evaluations import differing, protocol_card
from app.runs.folder import no_such_run
from app.views import address
from app.views.answers import answers_panel
from app.views.charts import legend
from app.views.colours import css_class, words
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.fragments import fragment
from app.views.names import run_title, told_apart
from app.views.opened import OpenRun, open_run
from app.views.question_charts import rates_chart, rates_table
from app.views.shown import showing
from app.views.texts import show_dropped, show_facts, show_text
from orz_bench.errors import OrzError, counted

MOST_BESIDE = 3
"""Texts beside one another; more are below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The samples of a question at one of the compared checkpoints."""

    side: Side
    opened: OpenRun
    step: QuestionStep

    @property
    def title(self) -> str:
        """For people: run and step."""
        return f"{side_title(self.side)}{', incomplete' if self.step.is_incomplete else ''}"


def side_title(side: Side) -> str:
    """`RUN, step N`, with `in training` for such a step."""
    return f"{plain(run_title(side.run))}, {'training ' if not side.fingerprint else ''}step {side.step}"


def across(context: Context, opened: OpenRun, *, benchmark: str, problem_id: str) -> list[Beside]:
    """Draw the choice of checkpoints; return those of the address that have the question, and say which don't."""
    wanted = address.sides()
    runs = _runs(context, opened, wanted=wanted)
    known = {
        side: Beside(side=side, opened=run, step=step)
        for name, run in runs.items()
        for step in history(run.index, benchmark, problem_id=problem_id)
        for side in [Side(name, step.step, step.fingerprint)]
    }
    asked = {side.run for side in known}
    for side in wanted:
        if side.run in runs and side.at not in known:
            what, other = (side_title(side), "checkpoint") if side.run in asked else (run_title(side.run), "run")
            st.warning(escaped(f"{plain(what)} has no sample of this question; choose another {other}."))
    found = [replace(known[side.at], side=side) for side in wanted if side.at in known]
    if lost := [side_title(one.side) for one in found if one.step.is_incomplete]:
        st.warning(
            escaped(
                f"Samples are missing or in damaged parts: {'; '.join(lost)}. Pass rates leave these out, answers are "
                "those that are left."
            )
        )
    _choice(context, list(known), found=found, names=list(runs), question=(benchmark, problem_id))
    return found


def _runs(context: Context, opened: OpenRun, *, wanted: Sequence[Side]) -> dict[str, OpenRun]:
    """The runs that are compared, by name, opened; says which are missing or cannot be read."""
    entries = {entry.name: entry for entry in context.entries}
    runs = {opened.name: opened}
    for name in dict.fromkeys(side.run for side in wanted):
        if name in runs:
            continue
        if name not in entries:
            st.warning(escaped(no_such_run(name, list(entries))))
            continue
        try:
            runs[name] = open_run(replace(context, runs=(entries[name],)), measures=False)
        except OrzError as error:
            st.warning(escaped(str(error)))
    return runs


def _choice(
    context: Context, known: Sequence[Side], *, found: Sequence[Beside], names: Sequence[str], question: tuple[str, str]
) -> None:
    chosen = [one.side.at for one in found]
    samples = {one.side.at: one.side for one in found}
    which, more = st.columns([7, 3], vertical_alignment="bottom")
    titles = {side: side_title(side) for side in known}
    is_one = {title: sum(other == title for other in titles.values()) == 1 for title in titles.values()}

    def titled(side: Side) -> str:
        return titles[side] if is_one[titles[side]] else f"{titles[side]}, protocol {side.fingerprint}"

    shown = showing("across:sides", chosen)
    which.multiselect(
        "Compare at", known, key=shown.key, format_func=titled, max_selections=address.MAX_SIDES, select_all=False,
        placeholder="choose checkpoints",
        on_change=shown.chosen(lambda sides: address.put_sides([samples.get(side, side) for side in sides])),
    )  # fmt: skip
    others = [entry.name for entry in context.entries if entry.name not in names]
    shown = showing("across:run", None)

    def add(name: str | None) -> None:
        if name is not None:
            base = [one.side for one in found] or [side for side in known if side.run == names[0]][:1]
            address.put_sides([*base, _last_of(context, name, question=question, like=base)])

    more.selectbox(
        "Add a run", others, key=shown.key, index=None, format_func=lambda name: plain(run_title(name)),
        disabled=not others,
        placeholder="choose a run" if others else "no other run", on_change=shown.chosen(add),
    )  # fmt: skip


def _last_of(context: Context, name: str, *, question: tuple[str, str], like: Sequence[Side]) -> Side:
    """The last whole checkpoint of the run with the question, of the same protocol where there is one."""
    entry = next(entry for entry in context.entries if entry.name == name)
    protocols = {side.fingerprint for side in like}
    try:
        steps = history(
            open_run(replace(context, runs=(entry,)), measures=False).index, question[0], problem_id=question[1]
        )
    except OrzError:
        steps = []
    best = max(
        steps,
        key=lambda step: (step.fingerprint in protocols, step.kind == "eval", not step.is_incomplete, step.step),
        default=None,
    )
    return Side(name, best.step, best.fingerprint) if best else Side(name, 0, "")


def compared(found: Sequence[Beside], *, benchmark: str, problem_id: str) -> None:
    """Draw the comparison of these checkpoints; where their protocols differ, only when asked for."""
    if not _may_compare(found, benchmark):
        return
    runs = {one.opened.name: one.opened for one in found}
    names = list(runs)
    histories = {name: history(run.index, benchmark, problem_id=problem_id) for name, run in runs.items()}
    fingerprints = [one.side.fingerprint for one in found]
    table = rates_table(histories, fingerprints)
    if len(table):
        titles = [run_title(name) for name in names]
        legend(titles)
        table["run"] = table["run"].map(run_title)
        marked = [(run_title(one.opened.name), one.step.step, one.side.fingerprint or "training") for one in found]
        st.altair_chart(rates_chart(table, names=titles, marked=marked), key="across:rates", height=190)
    else:
        st.caption("No pass rates: these samples have no verdicts.")
    with shown_errors():
        answers_panel(_votes(found, benchmark, problem_id=problem_id), key="across")
    fragment(_texts)(found)


def _may_compare(found: Sequence[Beside], benchmark: str) -> bool:
    """Whether the protocols are the same, or the reader wants the comparison all the same; says what differs."""
    first = found[0]
    others = {one.side.fingerprint: one for one in found if one.side.fingerprint != first.side.fingerprint}
    if not others:
        return True
    cards = [_card(one, benchmark) for one in (first, *others.values())]
    fields = list(dict.fromkeys(text for card in cards[1:] for text in differing(cards[0], card)))
    text, choice = st.columns([5, 2], vertical_alignment="center")
    text.warning(
        "The protocols differ: " + escaped("; ".join(fields)[:600]) + ". A difference may come from them.",
        icon=":material/warning:",
    )
    is_wanted = address.is_on(address.DIFFERING)
    shown = showing("across:differing", is_wanted)
    choice.toggle(
        "Compare all the same", key=shown.key,
        on_change=shown.chosen(lambda is_on: address.put(address.DIFFERING, "1" if is_on else None)),
    )  # fmt: skip
    return is_wanted


def _card(one: Beside, benchmark: str) -> Mapping[str, object]:
    if not one.side.fingerprint:
        return {"rollouts of": "training"}
    return protocol_card(one.opened.index.run, benchmark, step=one.step.step, fingerprint=one.side.fingerprint)


def _votes(found: Sequence[Beside], benchmark: str, *, problem_id: str) -> dict[str, Votes]:
    titles = told_apart([one.title for one in found], limit=24)
    by_run = {one.opened.name: votes(one.opened.index, benchmark, problem_id=problem_id) for one in found}
    return {
        titles[one.title]: vote
        for one in found
        for vote in by_run[one.opened.name]
        if (vote.fingerprint, vote.step) == (one.side.fingerprint, one.step.step)
    }


def _texts(found: Sequence[Beside]) -> None:
    """Its own part of the page: a sample that is chosen in it is in the address, and nothing else is drawn again."""
    named = {side.at: side for side in address.sides(is_said=False)}
    with shown_errors():
        _side_by_side([replace(one, side=named.get(one.side.at, one.side)) for one in found])


def _side_by_side(found: Sequence[Beside]) -> None:
    st.subheader("Side by side", anchor=False)
    shown: list[tuple[Beside, Row, Text]] = []
    for start in range(0, len(found), MOST_BESIDE):
        beside = found[start : start + MOST_BESIDE]
        for one, column in zip(beside, st.columns(len(beside), gap="medium"), strict=True):
            with column:
                sample = _sample(found, one)
            if sample is not None:
                shown.append((one, *sample))
    if len({text.question for _, _, text in shown}) > 1:
        st.warning("These runs ask different questions under this id: their answers are not comparable.")
    if len(shown) < 2:
        st.caption("Choose a second checkpoint above to compare it with.")
    first = shown[0][2].completion if shown else ""
    marks: list[tuple[Mark, ...]] = [()]
    for _, _, text in shown[1:]:
        both = differences(first, text.completion)
        marks.append(both.right)
        if len(shown) == 2:
            marks[0] = both.left
            whole = "" if both.is_whole else " (beginnings compared)"
            st.caption(
                f"{both.similarity:.0%} of the words are shared{whole}. Marked: words that the other side lacks."
            )
    if len(shown) > 2:
        st.caption("Marked: words that the first response lacks.")
    for start in range(0, len(shown), MOST_BESIDE):
        part = list(zip(shown, marks, strict=True))[start : start + MOST_BESIDE]
        for ((one, row, text), found_marks), column in zip(part, st.columns(len(part), gap="medium"), strict=True):
            with column:
                _text(text, found_marks, key=f"across:{one.side.run}:{row.id}")


def _text(text: Text, marks: Sequence[Mark], *, key: str) -> None:
    if text.is_stored:
        show_text(text.completion, marks, key=key, file_name="response.txt")
    else:
        show_dropped()


def _sample(found: Sequence[Beside], one: Beside) -> tuple[Row, Text] | None:
    """Draw the choice of a sample at a checkpoint and its facts."""
    by_index = {sample.key.sample_index: sample for sample in one.step.samples}
    index = one.side.sample if one.side.sample in by_index else _typical(one.step)
    if one.side.sample not in (None, index):
        st.warning(f"There is no sample {one.side.sample} here; sample {index} is shown.")
    shown = showing(f"across:sample:{one.side.at}", index)
    st.selectbox(
        one.title, list(by_index), key=shown.key,
        format_func=lambda number: f"sample {number}, {words(by_index[number].verdict)}",
        on_change=shown.chosen(lambda number: address.put_sides(
            [replace(other.side, sample=number) if other is one else other.side for other in found])),
    )  # fmt: skip
    row = one_row(one.opened.index, by_index[index].key)
    if row is None:
        st.warning("This rollout is no longer in the run.")
        return None
    text = text_of(one.opened.index, row)
    show_facts(
        [
            ("", _correct(one.step), ""),
            ("", words(row.verdict), css_class(row.verdict)),
            ("answer", text.extracted or "none", ""),
            ("gold", text.gold, ""),
        ]
    )
    return row, text


def _correct(step: QuestionStep) -> str:
    if step.why_unrated:
        return f"no verdicts: {step.why_unrated}"
    return f"{step.num_correct} of {counted(step.num_graded, 'sample')} correct"


def _typical(step: QuestionStep) -> int:
    """The first sample of the verdict that most have: for a lost question a right one beside a wrong one."""
    is_right = step.share is not None and step.share >= 0.5
    alike = [sample for sample in step.samples if (sample.verdict == "correct") == is_right]
    return (alike or step.samples)[0].key.sample_index
