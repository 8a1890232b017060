"""The columns of a list of rollouts: what each shows of a row, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd
import streamlit as st

from app.markdown import plain
from app.queries.reasons import BY_NAME
from app.queries.rows import Row
from app.views.colours import symbol, words
from app.views.names import column_px, told_apart

_ID_CHARS = 15
"""Of a question's id in a list; the reader has the whole one."""
_MOST_ID_PX = 170
"""Of an id that differs from others late: answer and gold stay on the screen."""
Kind = type[str] | type[int] | type[float]


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    title: str
    width: int
    value: Callable[[Row], Any]
    kind: Kind = str
    help: str | None = None
    is_usual: bool = False
    """Whether it is shown unless columns are chosen."""
    name: str = ""
    """In the choice of columns, where the title is too short."""


def _text(name: str) -> Callable[[Row], str | None]:
    return lambda row: _plain(getattr(row, name))


def _number(name: str) -> Callable[[Row], Any]:
    return lambda row: getattr(row, name)


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _look(row: Row) -> str:
    return BY_NAME[row.reasons[0]].title if row.reasons else ""


def _group(row: Row) -> str | None:
    return f"{row.group_correct}/{row.group_graded}" if row.group_graded else None


def _response(row: Row) -> str:
    return "(text not kept)" if row.preview is None else plain(row.preview)


def _yes(name: str, *, yes: str, no: str) -> Callable[[Row], str | None]:
    return lambda row: {True: yes, False: no, None: None}[getattr(row, name)]


_VERDICTS = "✓ correct  ✗ wrong  ∅ no answer  ? ⏱ ! not gradable  · not graded"
COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "verdict": Column("", 30, lambda row: symbol(row.verdict), help=_VERDICTS, is_usual=True, name="verdict"),
        "problem": Column("problem", 116, lambda row: plain(row.key.problem_id), is_usual=True),
        "extracted": Column("answer", 76, _text("extracted"), is_usual=True),
        "gold": Column("gold", 76, _text("gold"), is_usual=True),
        "hit": Column("hit", 240, lambda _: None, help="the first hit with 40 characters on each side", is_usual=True),
        "hits": Column("hits", 45, _number("num_hits"), int, is_usual=True),
        "step": Column("step", 45, lambda row: row.key.step, int, is_usual=True),
        "sample": Column(
            "#", 35, lambda row: row.key.sample_index, int, help="which sample of the question", is_usual=True,
            name="sample",
        ),
        "tokens": Column("tokens", 52, _number("num_tokens"), int, is_usual=True),
        "reflections": Column(
            "refl.", 45, _number("reflections"), int, help="reflection words, lexicon `extended`", is_usual=True,
            name="reflections",
        ),
        "right": Column(
            "group", 48, _group, help="correct / graded samples of the question at this step", is_usual=True
        ),
        "reward": Column("reward", 60, _number("reward"), float, is_usual=True),
        "look": Column("worth a look", 152, _look, is_usual=True),
        "tags": Column("tags", 120, lambda _: None),
        "response": Column("response", 520, _response, is_usual=True),
        "bench": Column("benchmark", 95, lambda row: plain(row.key.benchmark)),
        "kind": Column("kind", 60, lambda row: "training" if row.key.kind == "train" else "evaluation"),
        "protocol": Column("protocol", 110, lambda row: row.key.fingerprint),
        "question": Column("question", 260, _text("question")),
        "why": Column("why", 180, _text("why"), help="the reason for the verdict"),
        "second": Column("second verdict", 100, lambda row: words(row.second_verdict) if row.second_verdict else None),
        "stop": Column("stopped by", 85, _number("stop_reason")),
        "advantage": Column("advantage", 75, _number("advantage"), float),
        "value": Column("value", 60, _number("value"), float),
        "chars": Column("characters", 75, _number("num_chars"), int),
        "repetition": Column("repetition", 75, _number("repetition"), float),
        "loop": Column("loop", 50, _yes("ends_in_loop", yes="yes", no="no")),
        "form": Column("format", 60, _yes("keeps_form", yes="kept", no="broken")),
        "same": Column("same text", 70, _number("num_same"), int, help="samples of the question with this text"),
    }
)  # fmt: skip
"""By name in addresses."""


def column_name(name: str) -> str:
    """For the choice of columns."""
    return COLUMNS[name].name or COLUMNS[name].title


def frame_of(rows: Sequence[Row], names: Sequence[str], *, given: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """These columns; the values of those that a row doesn't have itself are `given`. Long ids are shortened."""
    columns: dict[str, Any] = {}
    for name in names:
        values = list(given[name]) if name in given else [COLUMNS[name].value(row) for row in rows]
        if name == "problem":
            values = list(map(told_apart(values, limit=_ID_CHARS).__getitem__, values))
        columns[name] = pd.array(values, dtype="Int64") if COLUMNS[name].kind is int else values
    return pd.DataFrame(columns)


def column_config(frame: pd.DataFrame) -> dict[str, Any]:
    """Titles, widths and formats. Ids that are told apart by their ends are shown to the end."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    formats = {int: "%d", float: "%.3g"}
    ids = column_px(frame["problem"], least=COLUMNS["problem"].width, most=_MOST_ID_PX) if "problem" in frame else 0
    return {
        name: text(one.title, width=ids or one.width if name == "problem" else one.width, help=one.help)
        if one.kind is str
        else number(one.title, width=one.width, help=one.help, format=formats[one.kind])
        for name, one in COLUMNS.items()
    }
