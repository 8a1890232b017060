"""The reader of one rollout: question, response with layers, gold, verdict with reason, and the whole group."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.markdown import escaped
from app.queries.keys import RowKey, key_text
from app.queries.measures import lexicon
from app.queries.reasons import BY_NAME
from app.queries.rows import Place as ListPlace
from app.queries.rows import Row, Text, Tokens, group, one_row, place_of, text_of, tokens_of
from app.queries.search import Pattern, spans
from app.queries.selection import Selection
from app.reader.gold import gold_marks
from app.reader.layers import LAYERS, extracted_marks, logprob_marks, reflection_marks, repeat_marks, tag_marks
from app.reader.markup import Mark
from app.reader.outline import Place, folds_of, outline
from app.reader.tokens import read_vocabulary, token_texts, vocabulary_path
from app.reader.values import drop_places
from app.views import address
from app.views.annotating import annotating
from app.views.colours import coloured, css_class, symbol, words
from app.views.names import in_heading, run_title
from app.views.opened import OpenRun
from app.views.rollout_list import open_neighbour
from app.views.shown import showing
from app.views.texts import (
    Outlined,
    num_shown,
    show_answers,
    show_dropped,
    show_facts,
    show_formulas,
    show_question,
    show_text,
)
from app.views.token_values import assessed_response, show_values
from orz_bench.errors import counted

DEFAULT_LAYERS = ("reflection", "tags", "extracted")
MOST_GROUP_MARKS = 128
LONG_CHARS = 6_000
"""Responses of so many characters or more have an outline."""


def reader(opened: OpenRun, selection: Selection, *, key: RowKey | None) -> None:
    """Draw the rollout with that key, or a hint."""
    if key is None:
        st.info("Choose a rollout in the list.", icon=":material/arrow_back:")
        return
    row = one_row(opened.index, key)
    if row is None:
        st.warning("This rollout is not in this run, or no longer. Choose another one in the list.")
        return
    place = place_of(opened.index, selection, key=key)
    _head(opened, selection, row=row, place=place)
    text = text_of(opened.index, row)
    with st.container(key="reader-answers"):
        show_answers(row, text)
    show_facts(_facts(row))
    _group(opened, row)
    show_question(text.question)
    _response(opened, selection, row=row, text=text)
    following = place.next if place else None
    annotating(opened, row, open_next=lambda: open_neighbour(opened, selection, key=following))
    with st.expander("Prompt and origin"):
        _origin(opened, row, text=text)


def _head(opened: OpenRun, selection: Selection, *, row: Row, place: ListPlace | None) -> None:
    key = row.key
    title, across, back, forward = st.columns([5, 1.2, 1.1, 1.1], vertical_alignment="center")
    kind = "training" if key.kind == "train" else escaped(key.benchmark)
    where = f"{place.place + 1:,}\u00a0of\u00a0{selection.total:,}" if place else "does not match these filters"
    title.markdown(
        f"**{coloured(row.verdict, symbol(row.verdict))} {escaped(in_heading(key.problem_id))}** "
        f"· sample {key.sample_index} · step {key.step} · {kind} :small[:gray[{where}]]"
    )
    if across.button(
        "", icon=":material/help_center:", key="reader:question", shortcut="q", width="stretch",
        help="This question across checkpoints",
    ):  # fmt: skip
        # With the same address: another one would become a page of the browser's history in between.
        now = address.parameters()
        lacking = {address.RUN: [opened.name], address.ROW: [key_text(key)]}
        opened.context.go("question", now | {name: value for name, value in lacking.items() if name not in now})
    back.button(
        "", icon=":material/arrow_upward:", key="reader:previous", shortcut="k", width="stretch",
        help="Previous rollout", disabled=not (place and place.previous), on_click=open_neighbour,
        args=(opened, selection),
        kwargs={"key": place.previous if place else None},
    )  # fmt: skip
    # Where the address names no rollout, the first one of the list is shown: the first key leads to the second one.
    name = "next" if address.row() == key else "first"
    forward.button(
        "", icon=":material/arrow_downward:", key=f"reader:{name}", shortcut="j", width="stretch",
        help="Next rollout", disabled=not (place and place.next), on_click=open_neighbour,
        args=(opened, selection),
        kwargs={"key": place.next if place else None},
    )  # fmt: skip


def _facts(row: Row) -> list[tuple[str, str, str]]:
    found = [("", words(row.verdict), css_class(row.verdict))]
    if row.num_tokens is not None:
        found.append(("tokens", f"{row.num_tokens:,}", ""))
    if row.stop_reason is not None:
        found.append(("stopped by", row.stop_reason, "v-other" if row.stop_reason == "length" else ""))
    numbers = (
        ("reward", row.reward),
        ("advantage", row.advantage),
        ("value", row.value),
        ("final value", row.final_value),
        ("repetition", row.repetition),
    )
    found += [(name, f"{value:.3g}", "") for name, value in numbers if value is not None]
    if row.reflections is not None:
        found.append(("reflections", str(row.reflections), ""))
    if row.keeps_form is not None:
        found.append(("format", "kept" if row.keeps_form else "broken", ""))
    found += [("worth a look", BY_NAME[name].title, "v-other") for name in row.reasons]
    return found


def _group(opened: OpenRun, row: Row) -> None:
    """All samples of the question at this step, as buttons that open them."""
    rows = group(opened.index, row.key)
    if len(rows) < 2:
        return
    keys = {one.key.sample_index: one for one in rows[:MOST_GROUP_MARKS]}
    drawn = showing("reader:group", row.key.sample_index if row.key.sample_index in keys else None)

    def shown(sample: int) -> str:
        one = keys[sample]
        cut = "✂" if one.stop_reason == "length" else ""
        return f"{coloured(one.verdict, symbol(one.verdict) + cut)} {sample}"

    def opens(sample: int | None) -> None:
        if sample in keys:
            address.put_row(keys[sample].key)

    st.pills(
        _group_title(row), list(keys), key=drawn.key, format_func=shown,
        on_change=drawn.chosen(opens), wrap=True,
    )  # fmt: skip


def _group_title(row: Row) -> str:
    if row.group_graded:
        rest = row.group_size - row.group_graded
        more = f", {rest} of {row.group_size} without a verdict" if rest else ""
        return f"Group: {row.group_correct} of {row.group_graded} correct{more}"
    reward = f", mean reward {row.group_reward:.3g}" if row.group_reward is not None else ""
    return f"Group: {row.group_size} samples without a verdict{reward}"


def _response(opened: OpenRun, selection: Selection, *, row: Row, text: Text) -> None:
    if not text.is_stored:
        show_dropped()
        return
    tokens = tokens_of(opened.index, row)
    completion = text.completion
    is_long = len(completion) >= LONG_CHARS
    assessed = assessed_response(opened, row, text=completion)
    without = {*(["logprobs"] if tokens is None else []), *([] if is_long else ["folds"])}
    without |= {"value", "advantage"} - (assessed.layers if assessed is not None else set())
    known = [name for name in LAYERS if name not in without]
    default = (*default_layers(row), *(["folds"] if is_long else []))
    on = address.layers(known, default=default)
    shown = showing("reader:layers", on)
    st.pills(
        "Layers", known, selection_mode="multi", key=shown.key, format_func=LAYERS.__getitem__,
        label_visibility="collapsed", wrap=True,
        on_change=shown.chosen(lambda chosen: address.put_layers(chosen, default=default)),
    )  # fmt: skip
    key = f"{opened.name}:{row.id}"
    if assessed is not None:
        show_values(assessed)
    if "latex" in on:
        show_formulas(completion)
        return
    marks = _marks(row, text, on=on) + (assessed.marks(on) if assessed is not None else [])
    if "logprobs" in on and tokens is not None:
        marks += _surprise(opened, tokens, completion=completion)
    if selection.pattern is not None:
        marks += _hits(completion, selection.pattern)
    drops = drop_places(assessed.drops, completion) if assessed is not None else []
    outlined = _outlined(row, text, marks=marks, folds="folds" in on, also=drops) if is_long else Outlined(places=drops)
    show_text(completion, marks, key=key, file_name="response.txt", outlined=outlined)


def _marks(row: Row, text: Text, *, on: Sequence[str]) -> list[Mark]:
    """The marks of the layers that are on."""
    completion = text.completion
    marks: list[Mark] = []
    if "reflection" in on:
        marks += reflection_marks(completion, lexicon(), question=text.question)
    if "tags" in on:
        marks += tag_marks(completion)
    if "extracted" in on:
        marks += extracted_marks(completion, text.extracted)
    if "gold" in on:
        marks += gold_marks(completion, text.gold, is_at_end="gold_in_text" not in row.reasons)
    if "repeats" in on:
        marks += repeat_marks(completion, ends_in_loop=row.ends_in_loop)
    return marks


def _surprise(opened: OpenRun, tokens: Tokens, *, completion: str) -> list[Mark]:
    path = vocabulary_path(opened.index.run)
    vocabulary = read_vocabulary(path) if path else {}
    pieces = token_texts(tokens.token_ids, vocabulary, completion=completion)
    if pieces is None:
        st.caption("No surprise of tokens: the run has no vocabulary in which these tokens form the response.")
        return []
    return logprob_marks(pieces, tokens.logprobs)


def _outlined(
    row: Row, text: Text, *, marks: Sequence[Mark], folds: bool, also: Sequence[Place]
) -> Outlined:  # fmt: skip
    """Places and folds; a fold with a hit of the search stays open."""
    completion = text.completion[: num_shown(text.completion)]
    repeats = [mark for mark in marks if mark.layer in ("repeat", "loop")]
    is_whole = len(completion) == len(text.completion)
    repeats = repeats or repeat_marks(completion, ends_in_loop=row.ends_in_loop if is_whole else None)
    reflections = [mark for mark in marks if mark.layer == "reflection"]
    hits = [mark.start for mark in marks if mark.layer in ("hit", "gold", "extracted")]
    found = folds_of(repeats, completion)
    kept = [fold for fold in found if folds and not any(fold.start <= at < fold.end for at in hits)]
    if not reflections:
        reflections = reflection_marks(completion, lexicon(), question=text.question)
    return Outlined(places=outline(completion, reflections=reflections, folds=kept, also=also), folds=kept)


def default_layers(row: Row) -> tuple[str, ...]:
    """The layers that are on by themselves: the gold too, where it is the reason to look at the rollout."""
    is_reason = not {"gold_at_end", "gold_in_text"}.isdisjoint(row.reasons)
    return (*DEFAULT_LAYERS, "gold") if is_reason else DEFAULT_LAYERS


def _hits(completion: str, pattern: Pattern) -> list[Mark]:
    found = spans(completion, pattern)
    shown = sum(span.start < num_shown(completion) for span in found)
    st.caption(f"{counted(len(found), 'hit')} in this response{f', {shown:,} shown' if shown < len(found) else ''}.")
    return [Mark(span.start, span.end, "hit", "hit") for span in found]


def _origin(opened: OpenRun, row: Row, *, text: Text) -> None:
    entry = opened.context.run
    facts = [
        ("run", run_title(opened.name), ""),
        ("question", row.key.problem_id, ""),
        ("made", entry.origin.told if entry.name == opened.name and entry.origin.told else "None", ""),
        ("seed", str(text.seed), ""),
        ("policy version", str(text.policy_version), ""),
        ("protocol", row.key.fingerprint or "training", ""),
        ("grader", str(text.grader_version), ""),
    ]
    show_facts([fact for fact in facts if fact[1] != "None"] + [(k, str(v)[:200], "") for k, v in text.extra.items()])
    show_text(text.prompt, [], key=f"prompt:{row.id}", file_name="prompt.txt")
