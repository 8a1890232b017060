"""The page Data: curated training data, from the sources to the file, with every row's fate and pairs to judge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import streamlit as st

from app.curated.sets import SetEntry, SetFolders, find
from app.curated.state import VIEWS, DataState, View
from app.judging.pair_verdicts import pair_annotations
from app.judging.side_folder import side_folder
from app.markdown import escaped, plain
from app.views import address
from app.views.context import TAIL_S, Context
from app.views.curated_flow import flow_view
from app.views.curated_pairs import pairs_view
from app.views.curated_rows import rows_view
from app.views.curated_tables import known
from app.views.failures import shown_errors
from app.views.fragments import fragment
from app.views.importing import import_panel
from app.views.opened import author
from app.views.rollout_list import ROW_PX, chosen_row
from app.views.shown import reading, showing
from app.views.style import ROLLOUT_STYLE
from orz_bench.records.curated import FATES, PAIRS

_TITLES: dict[View, str] = {
    "flow": "Flow and reasons", "rows": "Rows", "pairs": "Similar rows", "benchmarks": "Overlap with benchmarks",
}  # fmt: skip
_FILES: dict[View, str] = {"rows": FATES, "pairs": PAIRS, "benchmarks": PAIRS}
_MOST_LIST_PX = 560


def render(context: Context) -> None:
    """Draw the list of sets, or the set in the address."""
    st.html(ROLLOUT_STYLE)
    folders = SetFolders.of(context.folder.path, context.data)
    entries = folders.sets()
    state = address.read_state(DataState)
    if not entries:
        _say_empty(folders)
    elif state.set:
        _choose(state, entries)
        _set(context, find(state.set, entries), state=state)
        return
    else:
        _followed(_list, grows=any(entry.state == "being written" for entry in entries))(folders)
    with shown_errors():
        import_panel(context)


def _followed(view: Callable[..., None], *, grows: bool) -> Callable[..., None]:
    """The view, drawn again every few seconds while something grows."""
    return fragment(view, run_every=TAIL_S) if grows else view


def _say_empty(folders: SetFolders) -> None:
    looked = " and ".join(escaped(str(folder)) for folder in folders.folders.values())
    st.info(f"No curated set in {looked} yet. Make one, or open another folder:", icon=":material/inbox:")
    st.code(
        "orz-rl curate --source problems.jsonl --out data/mix        # docs/curation.md\n"
        "orz-app --runs runs --data DIR                              # open another folder of sets",
        language=None,  # its colours are too faint
    )


def _list(folders: SetFolders) -> None:
    _leave_if(is_elsewhere=bool(address.value("set")))
    with shown_errors():
        _table(folders.sets())


def _table(entries: list[SetEntry]) -> None:
    found = [known(entry) for entry in entries]
    names = [entry.name for entry in entries]
    table = pd.DataFrame(
        {
            "set": [plain(name) for name in names],
            "state": [
                "! unreadable" if each.fault else entry.state for entry, each in zip(entries, found, strict=True)
            ],
            "rows": pd.array([each.stages[0].num_in if each.stages else None for each in found], dtype="Int64"),
            "kept": pd.array([each.stages[-1].kept if each.stages else None for each in found], dtype="Int64"),
            "sources": [plain(", ".join(each.stages[0].by_source)) if each.stages else "" for each in found],
            "written": [datetime.fromtimestamp(entry.modified).astimezone() for entry in entries],
            "note": [plain(each.fault) for each in found],
        }
    )
    shown = reading(f"data:sets:{hash(tuple(names))}", None, read=chosen_row)

    def opens(place: int | None) -> None:
        if place is not None and place < len(names):
            address.put_all({"set": [names[place]]})

    st.dataframe(
        table, key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        hide_index=True, row_height=ROW_PX, height=min(_MOST_LIST_PX, ROW_PX * (len(table) + 1) + 12), placeholder="–",
        column_config={
            "rows": st.column_config.NumberColumn(format="localized"),
            "kept": st.column_config.NumberColumn(format="localized"),
            "written": st.column_config.DatetimeColumn("last written", format="distance"),
        },
    )  # fmt: skip
    st.caption("A click opens a set.")


def _choose(state: DataState, entries: list[SetEntry]) -> None:
    """The choice of a set and of what is shown of it."""
    which, view = st.columns([3, 5], vertical_alignment="bottom")
    names = [entry.name for entry in entries]
    shown = showing("data:set", state.set if state.set in names else None)
    which.selectbox(
        "Set", names, key=shown.key, label_visibility="collapsed", placeholder="choose a set", format_func=plain,
        on_change=shown.chosen(_open_set),
    )  # fmt: skip
    shown = showing("data:view", state.view)
    view.segmented_control(
        "Show", list(VIEWS), key=shown.key, format_func=_TITLES.__getitem__, label_visibility="collapsed",
        required=True, on_change=shown.chosen(_open_view),
    )  # fmt: skip


def _open_set(name: str | None) -> None:
    """Show the list, or another set: filters mean the values of one set, so none of them stays."""
    view = address.value("view")
    address.put_all(_CLEARED | {"set": [name] if name else [], "view": [view] if name and view else []})


def _open_view(view: View) -> None:
    address.put_all(_CLEARED | {"set": [address.value("set")], "view": [] if view == "flow" else [view]})


_CLEARED: dict[str, list[str]] = {name: [] for name in (*DataState.__dataclass_fields__, address.PAGE)}


def _set(context: Context, entry: SetEntry, *, state: DataState) -> None:
    if state.view == "flow":
        _followed(_flow, grows=entry.state == "being written")(context, entry)
        return
    file = _FILES[state.view]
    if not (entry.path / file).exists():
        st.info(f"{file} is written when all stages are done; this set is {entry.state}.")
    elif state.view == "rows":
        rows_view(entry, state)
    else:
        kept = pair_annotations(side_folder(context.folder.path), author=author())
        pairs_view(entry, state, kept=kept)


def _leave_if(*, is_elsewhere: bool) -> None:
    """Draw the whole page after a click in a fragment that leads elsewhere: by itself, only the fragment is."""
    if is_elsewhere:
        st.rerun()


def _flow(context: Context, entry: SetEntry) -> None:
    _leave_if(is_elsewhere=address.value("view") not in ("", "flow"))
    with shown_errors():
        now = find(entry.name, SetFolders.of(context.folder.path, context.data).sets())
        flow_view(now, known(now))
