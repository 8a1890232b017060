"""The page Judging: blind comparison of two checkpoints, agreement between judges, and what the tags mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd
import streamlit as st

from app.judging.agreement import Agreement, agreements, states_by_judge
from app.judging.annotations import MAX_NOTE_CHARS
from app.judging.side_folder import side_folder
from app.judging.tag_notes import described, response_of, tag_annotations
from app.judging.travel import folder_rows
from app.markdown import escaped, plain
from app.queries.exports import exported
from app.views.address import read_state, write_state
from app.views.annotating import SAID, say_what_happened, try_change
from app.views.blind import BlindState, blind_view
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.names import run_title
from app.views.opened import OpenRun, author, open_run, show_damage
from app.views.shown import showing

_VIEWS = {"blind": "Blind comparison", "agreement": "Agreement", "tags": "Tags"}
_ROW_PX = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingState(BlindState):
    """The state of the page."""

    judging: Literal["blind", "agreement", "tags"] = "blind"


def render(context: Context) -> None:
    """Draw the page."""
    say_what_happened()
    state = read_state(JudgingState)
    view, download = st.columns([6, 2], vertical_alignment="bottom")
    shown = showing("judging:view", state.judging)
    view.segmented_control(
        "Show", list(_VIEWS), key=shown.key, format_func=_VIEWS.__getitem__, required=True,
        label_visibility="collapsed", on_change=shown.chosen(lambda name: write_state(JudgingState, judging=name)),
    )  # fmt: skip
    side = side_folder(context.folder.path)
    download.download_button(
        "Export", lambda: exported(folder_rows(side), "jsonl"), file_name="judging.jsonl", mime="application/x-ndjson",
        icon=":material/download:", on_click="ignore", width="stretch",
        help="Blind comparisons and descriptions of tags of this folder, as JSON lines; *Import judgements* on the "
        "page Report takes them in elsewhere. Tags, notes and overrides travel with exported rollouts.",
    )  # fmt: skip
    with shown_errors():
        runs = [open_run(replace(context, runs=(entry,)), measures=False) for entry in context.runs]
        if state.judging == "blind":
            for run in runs:
                show_damage(run, is_named=len(runs) > 1)
            blind_view(context, state, runs=runs)
        elif state.judging == "agreement":
            _agreement(runs)
        else:
            _tags(context, runs)


def _agreement(runs: list[OpenRun]) -> None:
    st.caption(
        "Cohen's kappa of two judges on the responses that both have judged, with its 95 % interval: 1 is full "
        "agreement, 0 is what chance gives. A dash: both always say the same, so that chance alone would agree."
    )
    rows = [
        _agreement_row(run.name, one)
        for run in runs
        for one in agreements(states_by_judge(run.annotations.entries()))
    ]  # fmt: skip
    if not rows:
        st.info("No two people have judged the same responses of these runs yet; import a colleague's judgements.")
        return
    st.dataframe(
        pd.DataFrame(rows), key="judging:agreement", hide_index=True, row_height=_ROW_PX, placeholder="–",
        height=min(_ROW_PX * len(rows) + 40, 520),
        column_config={"kappa": st.column_config.NumberColumn(format="%.2f")},
    )  # fmt: skip


def _agreement_row(run: str, one: Agreement) -> dict[str, object]:
    kappa = one.kappa
    around = kappa.interval
    return {
        "run": plain(run_title(run)), "of": plain(one.what), "judge": plain(one.first), "and": plain(one.second),
        "judged by both": kappa.num_items, "the same": kappa.num_same, "kappa": kappa.kappa,
        "95 %": f"{around.low:.2f} to {around.high:.2f}" if around else None,
    }  # fmt: skip


def _tags(context: Context, runs: list[OpenRun]) -> None:
    kept = tag_annotations(side_folder(context.folder.path), author=author())
    about = described(kept)
    counts: dict[str, int] = dict.fromkeys(about, 0)
    for run in runs:
        for row in run.marks().rows:
            for tag in row.tags:
                counts[tag] = counts.get(tag, 0) + 1
    frame = pd.DataFrame(
        {
            "tag": [plain(tag) for tag in counts],
            "rollouts": list(counts.values()),
            "meaning": [plain(about.get(tag, "")) for tag in counts],
        }
    )
    st.caption("Tags of this folder and what they mean; rollouts: those of the runs above that have the tag.")
    st.dataframe(
        frame, key="judging:tags", hide_index=True, row_height=_ROW_PX, height=min(_ROW_PX * len(frame) + 40, 400)
    )
    chosen = st.selectbox("Tag", list(counts), key="judging:tag", format_func=plain)
    now = kept.of(response_of(chosen)).note
    shown = showing(f"judging:about:{chosen}", now or about.get(chosen, ""))

    def write(text: str) -> None:
        if kept.write_note(response_of(chosen), note=text, over=now):
            st.session_state[SAID] = "Another description was written meanwhile; both are kept, yours below."

    st.text_area(
        f"What {escaped(chosen)} means", key=shown.key, height=80, max_chars=MAX_NOTE_CHARS,
        on_change=shown.chosen(lambda text: try_change(lambda: write(text))),
    )  # fmt: skip
