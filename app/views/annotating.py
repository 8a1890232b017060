"""The annotation panel of a rollout: seen, tags, a note, a verdict with a reason; and the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app.judging.annotations import MAX_NOTE_CHARS, Annotation, Annotations, Entry
from app.judging.tag_notes import described, tag_annotations
from app.markdown import escaped, plain
from app.queries.keys import Response, key_text
from app.queries.rows import Row
from app.reader.markup import escape
from app.views import address
from app.views.colours import words
from app.views.opened import OpenRun
from app.views.shown import showing
from orz_bench.errors import OrzError, counted
from orz_bench.records.rollout import VERDICTS

MEANING_CHARS = 80
"""Of a tag's description where a tag is chosen."""
SAID = "annotate:said"
"""What the last change has to say to its author."""


def annotating(opened: OpenRun, row: Row, *, open_next: Callable[[], None]) -> None:
    """Draw the panel. Every change is written at once as a new entry of the history.

    Every widget's key names the run and the rollout, so that what was pressed before this one was drawn is not done to
    it: two runs have rollouts of the same key.
    """
    say_what_happened()
    response = opened.response(row)
    now = opened.annotations.of(response)
    with st.container(border=True, gap="small"):
        seen, tags, override = st.columns([1.3, 3, 1.4], vertical_alignment="bottom")
        with seen:
            _seen(opened, response, now=now, open_next=open_next)
        with tags:
            _tags(opened, response, now=now)
        with override:
            _override(opened, row, response=response, now=now)
        if now.verdict is not None:
            st.markdown(f"Overridden: **{words(now.verdict)}** (the grader says {words(row.verdict)})")
            st.text(plain(now.reason or ""))
        _note(opened, response, now=now)
        show_history(opened.annotations, response)


def _key(opened: OpenRun, response: Response, *, widget: str) -> str:
    return f"annotate:{widget}:{opened.name}:{key_text(response.key)}"


def say_what_happened() -> None:
    """Show what the last change has to say."""
    if said := st.session_state.pop(SAID, None):
        st.toast(escaped(said), icon=":material/info:")


def _seen(opened: OpenRun, response: Response, *, now: Annotation, open_next: Callable[[], None]) -> None:
    def toggle() -> None:
        opened.annotations.mark_seen(response, is_seen=not now.is_seen)
        if not now.is_seen:
            open_next()

    st.button(
        "Seen" if now.is_seen else "Seen, next", icon=":material/check:" if now.is_seen else ":material/visibility:",
        key=_key(opened, response, widget="seen"), shortcut="s", width="stretch", on_click=toggle,
        type="primary" if now.is_seen else "secondary",
        help="Undo" if now.is_seen else "Mark as seen and go to the next one",
    )  # fmt: skip


def _tags(opened: OpenRun, response: Response, *, now: Annotation) -> None:
    shown = showing(_key(opened, response, widget="tags"), list(now.tags))
    about = described(tag_annotations(opened.annotations.path.parent, author=""))
    known = list(dict.fromkeys([*now.tags, *opened.marks().tags, *about]))
    meanings = {tag: plain(text)[:MEANING_CHARS] for tag, text in about.items()}

    def change(chosen: Sequence[str]) -> None:
        wanted = set(chosen)
        for tag in wanted - set(now.tags):
            try_change(partial(opened.annotations.add_tag, response, tag=tag))
        for tag in set(now.tags) - wanted:
            opened.annotations.remove_tag(response, tag=tag)

    st.multiselect(
        "Tags", known, key=shown.key, wrap=True,
        accept_new_options=True, filter_mode="contains",  # "fuzzy" finds "odd" in "reasoning does not lead to it"
        placeholder="add a tag", on_change=shown.chosen(change), select_all=False,
        format_func=lambda tag: f"{plain(tag)}: {meanings[tag]}" if meanings.get(tag) else plain(tag),
    )  # fmt: skip


def _override(opened: OpenRun, row: Row, *, response: Response, now: Annotation) -> None:
    chosen, because = (_key(opened, response, widget=name) for name in ("verdict", "reason"))

    def override(verdict: str | None, reason: str) -> None:
        try_change(lambda: opened.annotations.override_verdict(response, verdict=verdict, reason=reason, over=now))

    is_open = address.is_on(address.JUDGE)
    form = st.container(border=True) if is_open else st.popover("Verdict", icon=":material/gavel:", width="stretch")
    with form:
        st.selectbox(
            "The verdict should be", [name for name in VERDICTS if name != row.verdict], format_func=words, key=chosen
        )
        st.text_input("because", key=because, placeholder="why the grader's is wrong")
        give, take_back = st.columns(2)
        give.button(
            "Override", key=_key(opened, response, widget="override"), type="primary", width="stretch",
            on_click=lambda: override(st.session_state[chosen], st.session_state[because]),
        )  # fmt: skip
        take_back.button(
            "Undo", key=_key(opened, response, widget="take-back"), disabled=now.verdict is None, width="stretch",
            on_click=lambda: override(None, st.session_state[because] or "undone"),
        )  # fmt: skip
        st.caption("The rollout keeps the grader's verdict; scores show both.")


def _note(opened: OpenRun, response: Response, *, now: Annotation) -> None:
    shown = showing(_key(opened, response, widget="note"), now.note)

    def write(text: str) -> None:
        if opened.annotations.write_note(response, note=text, over=now.note):
            st.session_state[SAID] = "Another note was written meanwhile; both are kept, yours below."

    st.text_area(
        "Note", key=shown.key, height=68, max_chars=MAX_NOTE_CHARS, placeholder="a note for colleagues",
        label_visibility="collapsed",
        on_change=shown.chosen(lambda text: try_change(lambda: write(text))),
    )  # fmt: skip


def show_history(annotations: Annotations, response: Response) -> None:
    """Draw all entries about a response, newest first; nothing without one."""
    entries = annotations.history(response)
    if not entries:
        return
    if others := sum(entry.is_of_another for entry in entries):
        st.caption(
            f"{others} of {counted(len(entries), 'entry')} written for another response under this key (another run of "
            f"this name, or another text); they do not apply here."
        )
    with st.expander(f"History ({len(entries)})"):
        st.html(_history_table(entries))


def _history_table(entries: Sequence[Entry]) -> str:
    head = ("when", "who", "what", "value", "because", "of")
    rows = [
        (
            entry.time[:19].replace("T", " "), _who(entry), f"{entry.field} {entry.name}".strip(),
            "undone" if entry.value is None else entry.value, entry.reason or "",
            "another response" if entry.is_of_another else "this response",
        )
        for entry in entries
    ]  # fmt: skip
    titles = "".join(f"<th>{name}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="orz-history"><tr>{titles}</tr>{lines}</table>'


def _who(entry: Entry) -> str:
    return plain(f"{entry.author} (imported by {entry.imported_by})" if entry.imported_by else entry.author)


def try_change(change: Callable[[], object]) -> None:
    """Make a change in a callback; an error of ours is said when the panel is drawn."""
    try:
        change()
    except OrzError as error:
        st.session_state[SAID] = str(error)
