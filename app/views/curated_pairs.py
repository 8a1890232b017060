"""The pairs of a curated set side by side, with their differences and what people say about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.curated.pairs import Pair, pairs_at, pairs_file
from app.curated.sets import SetEntry
from app.curated.state import DataState
from app.curated.tables import Places
from app.judging.annotations import MAX_NOTE_CHARS, Annotation, Annotations
from app.judging.pair_verdicts import PAIR, VERDICTS, judge, response_of, verdicts
from app.judging.travel import judgement_columns
from app.markdown import escaped, plain
from app.queries.exports import FORMATS, exported
from app.queries.rollout_export import MOST_ROWS
from app.reader.differences import differences
from app.reader.markup import Mark
from app.views.annotating import SAID, say_what_happened, show_history, try_change
from app.views.curated_list import Listed, as_listed, change_filters, draw_list, neighbours, open_place
from app.views.curated_rows import choice, search_field
from app.views.curated_tables import pair_counts, pair_place, pair_places
from app.views.shown import showing
from app.views.texts import show_facts, show_text
from orz_bench.errors import counted
from orz_bench.records.curated import DECONTAMINATE

_JUDGED = {
    "": "all", "open": "not judged", "same": "same problem", "different": "different problems", "unsure": "unsure",
}  # fmt: skip
_ORDERS = {"": "as written", "most": "most similar first", "least": "least similar first"}
_KEYS = {"same": "s", "different": "d", "unsure": "u"}
_PREVIEW_CHARS = 200
_MOST_ANSWER_CHARS = 2000
_EXPORTED_AT_ONCE = 500


def pairs_view(entry: SetEntry, state: DataState, *, kept: Annotations) -> None:
    """Draw the view: pairs of rows, or of rows and questions of benchmarks."""
    say_what_happened()
    judged = verdicts(kept)
    _filters(entry, state)
    places = pair_places(entry, state, judged=judged)
    found = pair_place(str(entry.path), entry.stamp, hash_=state.pair) if state.pair else None
    listed = as_listed("pair", places, named=state.pair, current=found)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(places):,}** {'pair' if len(places) == 1 else 'pairs'}", width="content")
        _export(entry, places, kept=kept)
    if state.pair and listed.current is None:
        st.warning(escaped(f"No pair {state.pair[:60]!r} in this set; open one from the list."))
    if not len(places):
        st.info("No pair matches these filters, or the set has none.")
    if not len(places) and listed.current is None:
        return
    with st.container(key="list-and-reader"):
        left, right = st.columns([4, 8], gap="medium")
    with left:
        draw_list(listed, frame=lambda chosen: _frame(entry, chosen, judged=judged), columns=_columns())
    with right:
        neighbours(listed, partial(_hash_at, entry))
        if listed.current is not None:
            pair = pairs_at(pairs_file(entry.path), [listed.current])[0]
            _verdict(entry, listed, pair=pair, kept=kept)
            _side_by_side(pair)


def _hash_at(entry: SetEntry, place: int) -> str:
    return pairs_at(pairs_file(entry.path), [place])[0].hash


def _filters(entry: SetEntry, state: DataState) -> None:
    counts = pair_counts(str(entry.path), entry.stamp)
    ours = {key: number for key, number in counts.items() if (key[0] == DECONTAMINATE) == (state.view == "benchmarks")}
    widths = [3, 2, 2, 2, 1.8, 1.8]
    find, stage, verdict, source, judged, order = st.columns(widths, vertical_alignment="bottom")
    with find:
        search_field("Search in both texts", state)
    for column, field, at in ((stage, "stage", 0), (verdict, "outcome", 1), (source, "source", 2)):
        with column:
            sums: dict[str, int] = {}
            for key, number in ours.items():
                sums[key[at]] = sums.get(key[at], 0) + number
            choice(field, sums, chosen=getattr(state, field))
    for column, field, label, words in (
        (judged, "judged", "Judged", _JUDGED),
        (order, "similar", "Order", _ORDERS),
    ):
        with column:
            shown = showing(f"data:{field}", getattr(state, field))
            st.selectbox(
                label, list(words), key=shown.key, format_func=words.__getitem__,
                on_change=shown.chosen(_changes(field)),
            )  # fmt: skip


def _changes(field: str) -> Callable[[str], None]:
    return lambda value: change_filters(DataState, **{field: value})


def _frame(entry: SetEntry, places: Sequence[int], *, judged: Mapping[str, str]) -> tuple[Sequence[str], pd.DataFrame]:
    pairs = pairs_at(pairs_file(entry.path), places)
    hashes = [pair.hash for pair in pairs]
    table = pd.DataFrame(
        {
            "judged": [{"same": "=", "different": "≠", "unsure": "?"}.get(judged.get(one, ""), "") for one in hashes],
            "similarity": [pair.similarity for pair in pairs],
            "verdict": [plain(pair.verdict) for pair in pairs],
            "id": [plain(pair.id) for pair in pairs],
            "like": [plain(pair.other_id) for pair in pairs],
            "question": [plain(pair.question[:_PREVIEW_CHARS]) for pair in pairs],
            "method": [plain(pair.method) for pair in pairs],
        }
    )
    return hashes, table


def _columns() -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "judged": text("", width=25, help="= same problem  ≠ different problems  ? unsure"),
        "similarity": number("sim.", width=45, format="%.2f", help="similarity by the method, 0 to 1"),
        "verdict": text("curation", width=105, help="what the curation made of the pair"),
        "id": text("row", width=90),
        "like": text("other", width=90),
        "question": text("question", width=240),
        "method": text("method", width=90),
    }


def _verdict(entry: SetEntry, listed: Listed, *, pair: Pair, kept: Annotations) -> None:
    """Draw what the curation and people say, and the buttons that say something else."""
    response = response_of(pair.hash)
    now = kept.of(response)
    because = f"pair:because:{pair.hash}"
    following = listed.neighbour(1)

    def say(verdict: str | None) -> None:
        reason = str(st.session_state.get(because) or "")
        try_change(lambda: judge(kept, pair.hash, verdict=verdict, reason=reason, over=now))
        if verdict is not None and SAID not in st.session_state:
            open_place(listed, following, name_of=partial(_hash_at, entry))

    show_facts(
        [
            ("curation", pair.verdict, ""),
            (pair.method, f"{pair.similarity:.2f}", ""),
            ("judged", VERDICTS.get(now.verdict or "", "not yet"), _style(now)),
            *([("because", now.reason, "")] if now.reason else []),
        ]
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name, label in VERDICTS.items():
            st.button(
                label, key=f"pair:{name}:{pair.hash}", shortcut=_KEYS[name], on_click=partial(say, name),
                type="primary" if now.verdict == name else "secondary", help="and open the next pair",
            )  # fmt: skip
        st.button("Undo", key=f"pair:undo:{pair.hash}", disabled=now.verdict is None, on_click=partial(say, None))
        st.text_input(
            "because", key=because, max_chars=MAX_NOTE_CHARS, placeholder="because … (optional)",
            label_visibility="collapsed",
        )  # fmt: skip
    show_history(kept, response)


def _style(now: Annotation) -> str:
    return {"same": "v-other", "different": "v-correct"}.get(now.verdict or "", "v-none")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the two texts."""

    kind: str
    source: str
    id: str
    text: str
    answer: str
    marks: tuple[Mark, ...]


def _side_by_side(pair: Pair) -> None:
    found = differences(pair.question, pair.other_question)
    whole = "" if found.is_whole else " (beginnings compared)"
    st.caption(f"{found.similarity:.0%} of the words are shared{whole}. Marked: words that the other side lacks.")
    left = _Side(
        kind="source", source=pair.source, id=pair.id, text=pair.question, answer=pair.answer, marks=found.left
    )
    right = _Side(
        kind="benchmark" if pair.is_of_benchmark else "source", source=pair.other_source, id=pair.other_id,
        text=pair.other_question, answer=pair.other_answer, marks=found.right,
    )  # fmt: skip
    style = "" if pair.answer == pair.other_answer else "v-other"
    for number, (column, side) in enumerate(zip(st.columns(2, gap="small"), (left, right), strict=True)):
        with column:
            show_facts([(side.kind, side.source, ""), ("id", side.id, "")])
            show_text(side.text, side.marks, key=f"pair:{number}:{pair.hash}", file_name="question.txt")
            show_facts([("answer", side.answer[:_MOST_ANSWER_CHARS], style)])


def _export(entry: SetEntry, places: Places, *, kept: Annotations) -> None:
    """Downloads of these pairs with their judgements; they are read on a click."""
    if not len(places):
        return
    with st.popover("Export", icon=":material/download:"):
        shown = places[:MOST_ROWS]
        st.caption(f"{counted(len(shown), 'pair')} of {len(places):,}, with all judgements.")
        for name, format_ in FORMATS.items():
            st.download_button(
                format_.title, partial(_exported, entry, shown, format_name=name, kept=kept),
                file_name=f"pairs.{format_.suffix}",
                mime=format_.mime, key=f"data:export:{name}", on_click="ignore", width="stretch",
            )  # fmt: skip


def _exported(entry: SetEntry, places: Places, *, format_name: str, kept: Annotations) -> bytes:
    return exported(pair_rows(entry, places, kept=kept), format_name)


def pair_rows(entry: SetEntry, places: Places, *, kept: Annotations) -> Iterator[dict[str, Any]]:
    """These pairs as rows of an export: the hash that judgements are about, the pair, and its judgements."""
    table, entries = pairs_file(entry.path), kept.entries()
    for start in range(0, len(places), _EXPORTED_AT_ONCE):
        for pair in pairs_at(table, places[start : start + _EXPORTED_AT_ONCE].tolist()):
            at = response_of(pair.hash)
            judgements = judgement_columns(kept.run, [(at, one) for one in entries.get(at, ())])
            facts = asdict(pair)
            del facts["place"]
            yield {"set": entry.name, PAIR: pair.hash, **facts, **judgements}
