"""The result of a blind comparison: which side was which, what each judge prefers, and by question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from analysis.behaviours.agreement import cohen_kappa
from app.judging.annotations import Annotations
from app.judging.blind import SKIP, Preference, comparison_of, judged_by, preference, shown_to, together, words_of
from app.judging.blind_pairs import BlindPairs
from app.markdown import escaped, plain
from app.queries.keys import Response
from app.queries.sides import Side, side_text
from app.views.context import Context
from app.views.names import run_title
from app.views.opened import OpenRun

_WORDS = {"a": "A", "b": "B", "tie": "tie", "skip": "skipped"}
_ROW_PX = 28
_PICKED = "blind:picked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared, and by whom."""

    sides: tuple[Side, Side]
    opened: tuple[OpenRun, OpenRun]
    pairs: BlindPairs
    kept: Annotations
    judge: str

    @property
    def titles(self) -> tuple[str, str]:
        """For people."""
        a, b = (f"{plain(run_title(side.run))}, step {side.step}" for side in self.sides)
        return (a, b) if a != b else (f"{a}, {self.sides[0].fingerprint}", f"{b}, {self.sides[1].fingerprint}")

    @property
    def about(self) -> Response:
        """What "the result was shown" is about."""
        texts = [side_text(side) for side in self.sides]
        return comparison_of(texts, benchmark=self.pairs.pairs[0].benchmark)


def result(context: Context, found: Comparison, *, go_on: Callable[[], None]) -> None:
    """Draw the result, which says which side was which."""
    entries = found.kept.entries()
    shown, said = shown_to(entries, found.about), judged_by(entries)
    words = {who: words_of(found.pairs.pairs, own, until=shown.get(who)) for who, own in said.items()}
    words = {who: (own, late) for who, (own, late) in words.items() if own or late}
    titles = found.titles
    st.markdown(f"A is **{escaped(titles[0])}**, B is **{escaped(titles[1])}**.")
    st.caption(
        f"The result has been shown to {escaped(found.judge)}: what is judged from now on is not blind, and left out."
    )
    if not words:
        st.info("Nobody has judged a question of this comparison yet.")
    else:
        num = len(found.pairs.pairs)
        rows = [preference(who, own, num_pairs=num, num_not_blind=late) for who, (own, late) in sorted(words.items())]
        if len(rows) > 1:
            rows.append(preference("all (what most prefer)", together([own for own, _ in words.values()]),
                                   num_pairs=num))  # fmt: skip
        _preferences(rows)
        _kappas({who: own for who, (own, _) in words.items()})
        _by_question(context, found, words={who: own for who, (own, _) in words.items()})
    st.button("Go on judging", key="blind:go-on", icon=":material/arrow_back:", on_click=go_on)


def _preferences(rows: Sequence[Preference]) -> None:
    def shares(row: Preference) -> str | None:
        around = row.interval
        return None if around is None else f"{100 * around.low:.0f} to {100 * around.high:.0f}"

    frame = pd.DataFrame(
        {
            "judge": [plain(row.who) for row in rows],
            "prefers A": [row.num_a for row in rows],
            "prefers B": [row.num_b for row in rows],
            "ties": [row.num_ties for row in rows],
            "skipped": [row.num_skipped for row in rows],
            "not judged": [row.num_open for row in rows],
            "not blind": [row.num_not_blind for row in rows],
            "B, %": [None if row.share_b is None else 100 * row.share_b for row in rows],
            "95 %": [shares(row) for row in rows],
            "p": [row.p_value if row.share_b is not None else None for row in rows],
        }
    )
    st.dataframe(
        frame, key="blind:preferences", hide_index=True, row_height=_ROW_PX, placeholder="–",
        column_config={
            "B, %": st.column_config.NumberColumn(format="%.0f", help="of the questions with a preference"),
            "p": st.column_config.NumberColumn(format="%.2g", help="sign test over questions with a preference"),
        },
    )  # fmt: skip


def _kappas(words: Mapping[str, Mapping[str, str]]) -> None:
    """Agreement of every two judges on the questions that both have judged and not skipped."""
    names = sorted(words)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            shared = [name for name in words[first] if name in words[second]]
            pairs = [(words[first][name], words[second][name]) for name in shared]
            kappa = cohen_kappa([pair for pair in pairs if SKIP not in pair])
            around = kappa.interval
            value = (
                f"kappa {kappa.kappa:.2f} (95 %: {around.low:.2f} to {around.high:.2f})"
                if kappa.kappa is not None and around is not None
                else "no kappa (both always say the same)" if kappa.num_items else "no question judged by both"
            )  # fmt: skip
            st.caption(escaped(f"{first} and {second}: {kappa.num_same:,} of {kappa.num_items:,} the same, {value}."))


def _by_question(context: Context, found: Comparison, *, words: Mapping[str, Mapping[str, str]]) -> None:
    pairs = [pair for pair in found.pairs.pairs if any(pair.id in own for own in words.values())]
    frame = pd.DataFrame(
        {"question": [plain(pair.problem_id) for pair in pairs]}
        | {
            f"{plain(who)} prefers": [_WORDS.get(own.get(pair.id, "")) for pair in pairs]
            for who, own in sorted(words.items())
        }
    )
    key = "blind:questions"

    def opened() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows and rows[0] < len(pairs):
            st.session_state[_PICKED] = rows[0]

    st.dataframe(
        frame, key=key, hide_index=True, row_height=_ROW_PX, placeholder="–", on_select=opened,
        selection_mode="single-row", height=min(_ROW_PX * len(frame) + 40, 420),
    )  # fmt: skip
    st.caption("A row opens the question at both checkpoints.")
    picked = st.session_state.pop(_PICKED, None)
    if picked is not None:
        pair = pairs[picked]
        sides = [
            side_text(replace(side, sample=key.sample_index))
            for side, key in zip(found.sides, (pair.a, pair.b), strict=True)
        ]
        target = {"run": [one.run for one in found.sides], "bench": [pair.benchmark], "problem": [pair.problem_id]}
        context.go("question", target | {"at": sides, "differing": ["1"]})
