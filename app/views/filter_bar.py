"""The filters above a list of rollouts. Widgets show the state in the address, and a change writes a new address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.markdown import plain
from app.queries.filters import ORDERS, Filters
from app.queries.reasons import BY_NAME, REASONS
from app.queries.search import MAX_PATTERN_CHARS
from app.views import address
from app.views.colours import words
from app.views.facts import facts_choice
from app.views.shown import Shown, showing

Counts = Mapping[str, Mapping[str, int]]
"""The result of app.queries.selection.facets."""
Facts = Mapping[str, Sequence[str]] | Callable[[], None]
"""The result of app.queries.facts.fact_values, or what computes it."""

_ORDER_WORDS = {
    "step": "Step", "problem": "Problem", "tokens": "Tokens", "reflections": "Reflections", "repetition": "Repetition",
    "reward": "Reward", "group": "Correct in the group", "suspicion": "Most suspicious", "hits": "Hits",
}  # fmt: skip
_KIND_WORDS = {"": "All", "eval": "Evaluations", "train": "Training"}


def filter_bar(
    filters: Filters, counts: Counts, *, tags: Sequence[str], facts: Facts
) -> None:  # fmt: skip
    """Draw the bar. The class of the filters has the page's defaults; `tags` are those in use.

    `facts`: the values of each field that says of which kind a question is, or what reads them on request.
    """
    search, mode, order, more = st.columns([4.4, 2.7, 2.5, 1.5], vertical_alignment="bottom")
    with search:
        shown = _showing("text", filters.text)
        st.text_input(
            "Search in responses", key=shown.key, max_chars=MAX_PATTERN_CHARS, icon=":material/search:",
            placeholder="text or regular expression", on_change=shown.chosen(_search(filters)),
        )  # fmt: skip
    with mode:
        _mode(filters)
    with order:
        _order(filters)
    with more, st.popover(_more_label(filters), icon=":material/tune:", width="stretch"):
        _more(filters, counts, tags=tags)
        if isinstance(facts, Mapping):
            write = _change("about", filters)
            facts_choice(facts, filters.about, name="filter:about", write=lambda about: write(list(about)))
        else:
            st.button("Kinds of questions", key="filter:read-facts", on_click=facts, help="Reads subject and level")
        st.button("Clear all filters", on_click=address.clear_filters)


def _search(filters: Filters) -> Callable[[str], None]:
    """Without a search there are no hits to be in the order of."""
    default = type(filters)()

    def change(text: str) -> None:
        is_lost = not text and filters.order == "hits"
        order = {"order": default.order, "descending": default.descending} if is_lost else {}
        address.write_filters(type(filters), text=text, **order)

    return change


def _mode(filters: Filters) -> None:
    def change(chosen: Sequence[str]) -> None:
        others = set(chosen) & {"literal", "regex"} - {filters.mode}
        mode = others.pop() if others else filters.mode
        address.write_filters(type(filters), mode=mode, ignores_case="Aa" not in chosen)

    options = ["literal", "regex", "Aa"]
    on = [filters.mode, *([] if filters.ignores_case else ["Aa"])]
    shown = _showing("mode", on)
    st.pills(
        "As", options, selection_mode="multi", key=shown.key, on_change=shown.chosen(change),
        format_func={"literal": "Text", "regex": "Regex", "Aa": "Aa"}.__getitem__,
        help="Text finds the literal text; Regex uses RE2 syntax. Aa distinguishes capital letters.",
    )  # fmt: skip


def _order(filters: Filters) -> None:
    default = type(filters)()
    known = [name for name in ORDERS if name != "hits" or filters.text]
    options = [(name, descending) for name in known for descending in (False, True)]
    now = (filters.order, filters.descending)
    if now not in options:
        st.warning("order='hits' in the address: there are no hits without a search; the list has another order.")
    shown = _showing("order", now if now in options else (default.order, default.descending))

    def change(chosen: tuple[str, bool]) -> None:
        order, descending = chosen
        address.write_filters(type(filters), order=order, descending=descending)

    st.selectbox(
        "Order", options, key=shown.key, on_change=shown.chosen(change),
        format_func=lambda option: f"{_ORDER_WORDS[option[0]]} {'↓' if option[1] else '↑'}",
    )  # fmt: skip


def _more_label(filters: Filters) -> str:
    default = type(filters)()
    apart = {"text", "mode", "ignores_case", "order", "descending"}
    names = set(Filters.__dataclass_fields__) - apart
    changed = sum(getattr(filters, name) != getattr(default, name) for name in names)
    return f"Filters ({changed})" if changed else "Filters"


def _more(filters: Filters, counts: Counts, *, tags: Sequence[str]) -> None:
    shown = _showing("kind", filters.kind)
    st.segmented_control(
        "Rollouts of", list(_KIND_WORDS), key=shown.key, format_func=_KIND_WORDS.__getitem__, required=True,
        on_change=shown.chosen(_change("kind", filters)),
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        _several("Benchmark", "bench", filters=filters, counts=counts["benchmark"])
        _several("Verdict", "verdicts", filters=filters, counts=counts["verdict"])
        _several("Worth a look", "reasons", filters=filters, counts=counts["reasons"])
    with right:
        _several("Step", "step", filters=filters, counts=counts["step"])
        _several("Stopped by", "stop_reasons", filters=filters, counts=counts["stop_reason"])
        _several("Tag", "tags", filters=filters, counts=dict.fromkeys(tags, 0))
    for title, low, high in (
        ("Tokens", "min_tokens", "max_tokens"),
        ("Reflections", "min_reflections", "max_reflections"),
    ):
        a, b = st.columns(2)
        with a:
            _number(f"{title} from", low, filters=filters)
        with b:
            _number(f"{title} to", high, filters=filters)
    a, b = st.columns(2)
    with a:
        _choice(
            "Extractors", "extractors", options={"": "Any", "differ": "Disagree", "agree": "Agree"}, filters=filters
        )
    with b:
        seen = {
            "": "Any",
            "unseen": "Not seen",
            "seen": "Seen",
            "judged": "Tagged, noted or overridden",
            "overridden": "Overridden",
        }
        _choice("Annotated", "seen", options=seen, filters=filters)
    shown = _showing("problem", filters.problem)
    st.text_input("Problem id", key=shown.key, on_change=shown.chosen(_change("problem", filters)))


def _several(label: str, field: str, *, filters: Filters, counts: Mapping[str, int]) -> None:
    default = type(filters)()
    parse = int if field == "step" else str
    chosen = () if getattr(filters, field) == getattr(default, field) == tuple(BY_NAME) else getattr(filters, field)
    known = [parse(name) for name in counts]
    options = list(dict.fromkeys([*(sorted(known) if field == "step" else known), *chosen]))
    titles = {reason.name: reason.title for reason in REASONS}

    def titled(option: Any) -> str:
        name = titles.get(option, words(option) if field == "verdicts" else plain(str(option)))
        count = counts.get(str(option), 0)
        return f"{name}  {count:,}" if count else name

    shown = _showing(field, list(chosen))
    st.multiselect(
        label, options, key=shown.key, format_func=titled, on_change=shown.chosen(_change(field, filters)),
        placeholder="any", wrap=True,
    )  # fmt: skip


def _number(label: str, field: str, *, filters: Filters) -> None:
    shown = _showing(field, getattr(filters, field))
    st.number_input(
        label, min_value=0, step=1, value=None, key=shown.key, placeholder="any",
        on_change=shown.chosen(_change(field, filters)),
    )  # fmt: skip


def _choice(label: str, field: str, *, options: Mapping[str, str], filters: Filters) -> None:
    shown = _showing(field, getattr(filters, field))
    st.selectbox(
        label, list(options), key=shown.key, format_func=options.__getitem__,
        on_change=shown.chosen(_change(field, filters)),
    )  # fmt: skip


def _showing(field: str, value: object) -> Shown:
    return showing(f"filter:{field}", value)


def _change(field: str, filters: Filters) -> Callable[[Any], None]:
    """What writes a widget's new value into the address, from which the page is then drawn."""

    def write(value: Any) -> None:
        kept: Any = tuple(value) if isinstance(value, list) else value
        if kept == ():
            kept = getattr(type(filters)(), field)
        address.write_filters(type(filters), **{field: kept})

    return write
