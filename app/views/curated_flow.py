"""A curated set as a whole: the flow from its sources to the training file, what was dropped and why, its sources."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.curated.cards import Known
from app.curated.sets import SetEntry
from app.markdown import escaped, plain
from app.views import address
from app.views.rollout_list import ROW_PX, chosen_row
from app.views.shown import reading
from orz_bench.errors import counted
from orz_bench.records.curated import CARD_PAGE, Card, StageCount
from orz_bench.results.flow_picture import flow

_INK = {"light": "#1B2430", "dark": "#DCE3EA"}
"""The theme's text colours (app/.streamlit/config.toml)."""
_UNFINISHED = {
    "being written": "This set is being written.",
    "stopped": "The curation of this set was stopped; the same command resumes it.",
}


def flow_view(entry: SetEntry, known: Known) -> None:
    """Draw the view."""
    if known.fault:
        st.error(escaped(known.fault))
        return
    if known.card is not None:
        st.markdown(
            f"**{known.card.num_kept:,}** of {counted(known.card.num_rows, 'row')} kept; seed {known.card.seed}"
        )
    else:
        done = "These stages are done." if known.stages else "No stage is done yet."
        st.info(f"{_UNFINISHED.get(entry.state, '')} {done}")
    if known.stages:
        st.image(flow(known.stages, shown=_shown, style=_style()), width="content", alt=_told(known.stages))
        _dropped(known.stages, is_open=known.card is not None)
    if known.card is not None:
        _sources(known.card)
        _card_page(entry)


def _style() -> str:
    """Colours for the theme: a picture does not see those of the page."""
    ink = _INK["dark" if st.context.theme.type == "dark" else "light"]
    return f"svg {{ --gone: #d9641e }} text {{ fill: {ink}; font: 13px system-ui, sans-serif }}"


def _told(stages: Sequence[StageCount]) -> str:
    """What the picture shows, in words."""
    kept = ", ".join(f"{stage.kept:,} after {plain(stage.name)}" for stage in stages)
    return f"Rows from stage to stage: {stages[0].num_in:,} from the sources, {kept}. The table below has the reasons."


def _shown(name: str) -> str:
    return html.escape(plain(name)[:60])


def _dropped(stages: Sequence[StageCount], *, is_open: bool) -> None:
    """The rows by stage and reason; a click opens them."""
    found = [(stage.name, reason, number) for stage in stages for reason, number in stage.reasons.items()]
    states: list[dict[str, list[str]]] = [{"stage": [stage], "reason": [reason]} for stage, reason, _ in found]
    last = stages[-1]
    found.append((last.name, "kept", last.kept))
    states.append({"fate": ["kept"]})
    whole = max(1, stages[0].num_in)
    table = pd.DataFrame(
        {
            "stage": [plain(stage) for stage, *_ in found],
            "reason": [plain(reason) for _, reason, _ in found],
            "rows": [number for *_, number in found],
            "share": [100 * number / whole for *_, number in found],
        }
    )
    for source in stages[0].by_source:
        table[f"of {plain(source)}"] = [
            *(_of_source(stage, source, reason=reason) for stage in stages for reason in stage.reasons),
            last.by_source[source].kept if source in last.by_source else 0,
        ]
    shown = reading(f"data:reasons:{hash(tuple(found))}", None, read=chosen_row)

    def opens(place: int | None) -> None:
        if is_open and place is not None and place < len(states):
            address.put_all({"view": ["rows"], address.PAGE: [], **states[place]})

    st.caption("What was dropped, by stage and reason" + ("; a click opens the rows." if is_open else "."))
    st.dataframe(
        table, key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        hide_index=True, row_height=ROW_PX, height=len(table) * ROW_PX + 40,
        column_config={
            "rows": st.column_config.NumberColumn(format="localized"),
            "share": st.column_config.NumberColumn("% of all", format="%.2f"),
            **{f"of {plain(name)}": st.column_config.NumberColumn(format="localized") for name in stages[0].by_source},
        },
    )  # fmt: skip


def _of_source(stage: StageCount, source: str, *, reason: str) -> int:
    return stage.by_source[source].reasons.get(reason, 0) if source in stage.by_source else 0


def _sources(card: Card) -> None:
    st.caption("Sources")
    st.dataframe(
        pd.DataFrame(
            {
                "source": [plain(each.name) for each in card.sources],
                "path": [plain(each.path) for each in card.sources],
                "licence": [plain(each.licence) for each in card.sources],
                "rows": [each.rows for each in card.sources],
                "kept": [each.kept for each in card.sources],
                "SHA-256": [plain(each.sha256) for each in card.sources],
            }
        ),
        hide_index=True, row_height=ROW_PX,
        column_config={
            name: st.column_config.NumberColumn(format="localized") for name in ("rows", "kept")
        },
    )  # fmt: skip
    names = ", ".join(card.plan.benchmarks)
    st.caption(f"Compared with: {escaped(names)}." if names else "Not compared with any benchmark.")


def _card_page(entry: SetEntry) -> None:
    """The whole card as a file: lengths, difficulties, examples, settings and hashes."""
    path = entry.path / CARD_PAGE
    if path.is_file():
        st.download_button(
            "Data card", path.read_bytes, file_name=CARD_PAGE, mime="text/html", icon=":material/download:",
            on_click="ignore", help="One page with lengths, difficulties, examples, settings and hashes.",
        )  # fmt: skip
