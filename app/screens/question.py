"""The page Question: one question across the checkpoints of a run, or of several, with its answers and responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import streamlit as st

from app.markdown import escaped, plain
from app.queries.answers import votes
from app.queries.facts import question_facts
from app.queries.keys import RowKey, key_text
from app.queries.questions import QuestionStep, QuestionSummary, Sample, history, milestones, questions
from app.queries.rows import Row, Text, one_row, text_of
from app.reader.differences import differences
from app.reader.latex import plain_markdown
from app.reader.markup import escape
from app.views import address
from app.views.across import across, compared
from app.views.address import AT, BENCHMARK, FIND, PROBLEM, SOLVED, SORT
from app.views.answers import answers_panel
from app.views.colours import css_class, symbol, words
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.fragments import fragment
from app.views.names import in_heading
from app.views.opened import OpenRun, open_run, show_progress
from app.views.shown import showing
from app.views.style import ROLLOUT_STYLE
from app.views.texts import show_dropped, show_facts, show_question, show_text
from orz_bench.errors import counted

MOST_STEPS, MOST_SAMPLES = 120, 64
_ORDERS = {"lost": "most lost first", "gained": "most gained first", "id": "by id"}
_THRESHOLDS = {"any": 0.0, "most": 0.5}


def render(context: Context) -> None:
    """Draw the page for the question in the address, or the first of the list."""
    opened = open_run(context)
    st.html(ROLLOUT_STYLE)
    show_progress(opened)
    with st.container(key="question-choice"):  # keeps what is typed in it: see show_progress
        chosen = _choose(opened)
    if chosen is None:
        return
    benchmark, problem_id = chosen
    steps = history(opened.index, benchmark, problem_id=problem_id)
    header = st.container()
    found = across(context, opened, benchmark=benchmark, problem_id=problem_id)
    shown = (found[0].opened, found[0].step) if found else (opened, steps[0]) if steps else None
    if shown is not None:
        with header:
            _header(*shown)
    if found:
        compared(found, benchmark=benchmark, problem_id=problem_id)
    elif steps and not address.value(AT):
        _question(opened, benchmark, problem_id=problem_id, steps=steps)
    elif not steps and not address.value(AT):
        st.warning("This run does not have this question. Choose another one above.")


def _header(opened: OpenRun, step: QuestionStep) -> None:
    row = one_row(opened.index, step.samples[0].key)
    if row is None:
        return
    text = text_of(opened.index, row)
    st.markdown(f"**{escaped(in_heading(row.key.problem_id))}** · {escaped(row.key.benchmark)}")
    show_question(text.question)
    about = question_facts(opened.index).get((row.key.benchmark, row.key.problem_id), {})
    show_facts([("gold", text.gold, ""), *((name, value, "") for name, value in list(about.items())[:8])])


def _choose(opened: OpenRun) -> tuple[str, str] | None:
    # From the reader this page keeps the address with its open rollout: Back then finds the reader as it was.
    row = address.row()
    named = (row.benchmark, row.problem_id) if row else (address.value(BENCHMARK), address.value(PROBLEM))
    find, order, pick = st.columns([2, 2, 5], vertical_alignment="bottom")
    shown = showing("question:find", address.value(FIND))
    find.text_input("Find by id", key=shown.key, placeholder="part of an id", on_change=shown.chosen(_put(FIND)))
    sort = address.one_of(SORT, list(_ORDERS))
    shown = showing("question:sort", sort)
    order.selectbox(
        "Order", list(_ORDERS), key=shown.key, format_func=_ORDERS.__getitem__, on_change=shown.chosen(_put(SORT))
    )  # fmt: skip
    if any(named) and not all(named):
        st.warning("A question has a benchmark and an id: the address names only one of them (bench, problem).")
    found = questions(opened.index, text=address.value(FIND), order=sort)
    options = {(one.benchmark, one.problem_id): one for one in found}
    if not options and not all(named):
        st.info("No question to show: this run has no rollouts yet, or none whose id contains the text above.")
        return None
    known = [*([named] if all(named) and named not in options else []), *options]
    shown = showing("question:pick", named if all(named) else known[0])
    pick.selectbox(
        "Question", known, key=shown.key, format_func=lambda option: _titled(option, options.get(option)),
        on_change=shown.chosen(_pick),
    )  # fmt: skip
    return named if all(named) else known[0]


def _pick(question: tuple[str, str]) -> None:
    benchmark, problem_id = question
    address.put_all({BENCHMARK: [benchmark], PROBLEM: [problem_id]} | dict.fromkeys(address.ROWS, ()))


def _titled(option: tuple[str, str], summary: QuestionSummary | None) -> str:
    if summary is None or summary.first_share is None or summary.last_share is None:
        return plain(" · ".join(option))
    return f"{plain(option[1])} · {plain(option[0])} · {summary.first_share:.0%} → {summary.last_share:.0%}"


def _question(opened: OpenRun, benchmark: str, *, problem_id: str, steps: Sequence[QuestionStep]) -> None:
    solved = address.one_of(SOLVED, list(_THRESHOLDS))
    shown = showing("question:solved", solved)
    st.segmented_control(
        "Solved means", list(_THRESHOLDS), key=shown.key, required=True, on_change=shown.chosen(_put(SOLVED)),
        format_func={"any": "any sample correct", "most": "most samples correct"}.__getitem__,
    )  # fmt: skip
    threshold = _THRESHOLDS[solved]
    for (kind, fingerprint), part in groupby(steps, key=lambda step: (step.kind, step.fingerprint)):
        _strip(
            list(part),
            title="In training" if kind == "train" else f"Evaluated, protocol {fingerprint}",
            threshold=threshold,
        )
    with shown_errors():
        _answers(opened, benchmark, problem_id=problem_id, steps=steps)
    fragment(_compare)(opened, steps)


def _answers(opened: OpenRun, benchmark: str, *, problem_id: str, steps: Sequence[QuestionStep]) -> None:
    """Over the checkpoints of the first protocol."""
    found = votes(opened.index, benchmark, problem_id=problem_id)
    titles = {one.step: _step_title(one) for one in steps if one.fingerprint == steps[0].fingerprint}
    here = [one for one in found if one.fingerprint == steps[0].fingerprint]
    answers_panel({titles[one.step]: one for one in here if one.step in titles}, key="run")


def _strip(steps: Sequence[QuestionStep], *, title: str, threshold: float) -> None:
    found = milestones(steps, threshold=threshold)
    events = [f"{title}: {len(steps)} {'step' if len(steps) == 1 else 'steps'}"]
    if not any(step.num_graded for step in steps):
        events.append(f"no verdicts: {'; '.join(dict.fromkeys(step.why_unrated for step in steps))}")
    else:
        events.append(
            f"first solved at step {found.first_solved}" if found.first_solved is not None else "never solved"
        )
    if num_incomplete := sum(step.is_incomplete for step in steps):
        events.append(f"{counted(num_incomplete, 'incomplete step')} left out of this (samples are lost)")
    if found.lost_again is not None:
        events.append(f"lost again at step {found.lost_again}")
    st.markdown(plain_markdown(", ".join(events)))
    shown = steps if len(steps) <= MOST_STEPS else [steps[n * len(steps) // MOST_STEPS] for n in range(MOST_STEPS)]
    if len(shown) < len(steps):
        st.caption(f"{len(shown)} of {counted(len(steps), 'step')} drawn.")
    st.html(f'<div class="orz-scroll"><table class="orz-strip">{"".join(map(_line, shown))}</table></div>')


def _said_of(sample: Sample) -> str:
    return "the request failed" if sample.is_silent else words(sample.verdict)


def _line(step: QuestionStep) -> str:
    cells = (
        f'<td class="cell {css_class(sample.verdict)}" title="sample {sample.key.sample_index}: '
        f'{escape(_said_of(sample))}">{"✂" if sample.is_truncated else symbol(sample.verdict)}</td>'
        for sample in step.samples[:MOST_SAMPLES]
    )
    more = f" (first {MOST_SAMPLES})" if len(step.samples) > MOST_SAMPLES else ""
    share = f"{step.num_correct}/{step.num_graded}{more}" if step.num_graded else "–"
    why = f' title="{step.why_unrated}"' if step.why_unrated else ""
    return f'<tr><th>{_step_title(step)}</th>{"".join(cells)}<td class="share"{why}>{share}</td></tr>'


def _step_title(step: QuestionStep) -> str:
    return f"step {step.step}{', incomplete' if step.is_incomplete else ''}"


def _compare(opened: OpenRun, steps: Sequence[QuestionStep]) -> None:
    with shown_errors():
        _side_by_side(opened, steps)


def _side_by_side(opened: OpenRun, steps: Sequence[QuestionStep]) -> None:
    """Two samples: by default the first ones of the first and the last step of a protocol, or two of its only step."""
    first = [step for step in steps if (step.kind, step.fingerprint) == (steps[0].kind, steps[0].fingerprint)]
    samples = [first[0].samples[0], first[-1].samples[0]] if len(first) > 1 else list(first[0].samples[:2])
    if sum(len(step.samples) for step in steps) < 2:
        st.caption("There is one response to this question: nothing to compare it with. *Rollouts* shows it.")
        return
    if len(samples) < 2:
        samples += [sample for step in steps for sample in step.samples if sample.key != samples[0].key][:1]
    st.subheader("Side by side", anchor=False)
    columns = st.columns(2, gap="medium")
    sides = [
        _side(opened, steps, column=column, name=name, default=sample.key)
        for column, name, sample in zip(columns, (address.LEFT, address.RIGHT), samples, strict=True)
    ]
    if None in sides:
        st.warning("One of the two rollouts is not in this run, or no longer. Choose another one.")
        return
    (left, left_text), (right, right_text) = (side for side in sides if side is not None)
    found = differences(left_text.completion, right_text.completion)
    whole = "" if found.is_whole else " (beginnings compared)"
    st.caption(f"{found.similarity:.0%} of the words are shared{whole}. Marked: words that the other side lacks.")
    for side, column, row, text, marks in zip(
        (address.LEFT, address.RIGHT), st.columns(2, gap="medium"), (left, right), (left_text, right_text),
        (found.left, found.right), strict=True,
    ):  # fmt: skip
        with column:
            if not text.is_stored:
                show_dropped()
                continue
            show_text(text.completion, marks, key=f"compare:{side}:{row.id}", file_name="response.txt")


def _side(
    opened: OpenRun, steps: Sequence[QuestionStep], *, column: object, name: str, default: RowKey
) -> tuple[Row, Text] | None:
    key = address.row(name) or default
    at = next((n for n, step in enumerate(steps) if any(sample.key == key for sample in step.samples)), None)
    if at is None:
        return None
    by_index = {sample.key.sample_index: sample for sample in steps[at].samples}
    at_step = showing(f"compare:{name}:step", at)
    at_sample = showing(f"compare:{name}:sample", key.sample_index)

    def to_step(chosen: int) -> None:
        step = steps[chosen]
        same = [sample.key for sample in step.samples if sample.key.sample_index == key.sample_index]
        address.put(name, key_text((same or [step.samples[0].key])[0]))

    def to_sample(chosen: int) -> None:
        address.put(name, key_text(by_index[chosen].key))

    with column:  # type: ignore[attr-defined]  # a column of st.columns
        where, which = st.columns([3, 2], vertical_alignment="bottom")
        where.selectbox(
            "Step", range(len(steps)), key=at_step.key, on_change=at_step.chosen(to_step),
            format_func=lambda n: f"step {steps[n].step} ({'training' if steps[n].kind == 'train' else 'evaluation'})",
        )  # fmt: skip
        which.selectbox(
            "Sample", list(by_index), key=at_sample.key, on_change=at_sample.chosen(to_sample),
            format_func=lambda n: f"{symbol(by_index[n].verdict)} {n}",
        )  # fmt: skip
        row = one_row(opened.index, key)
        if row is None:
            return None
        text = text_of(opened.index, row)
        facts, reads = st.columns([5, 1.4], vertical_alignment="center")
        with facts:
            show_facts(
                [
                    ("", words(row.verdict), css_class(row.verdict)),
                    ("tokens", "unknown" if row.num_tokens is None else f"{row.num_tokens:,}", ""),
                    ("answer", (text.extracted or "none")[:200], ""),
                ]
            )
        if "rollouts" in opened.context.pages:
            state = {
                "run": [opened.name],
                "kind": [key.kind],
                "problem": [key.problem_id],
                address.ROW: [key_text(key)],
            }
            reads.page_link(
                opened.context.pages["rollouts"], label="Read", icon=":material/article:", query_params=state
            )
        return row, text


def _put(name: str) -> Callable[[str], None]:
    return lambda value: address.put(name, value)
