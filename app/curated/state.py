"""The state of the page Data: what is shown of which set. The fields are the parameters of its address (app.url)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

View = Literal["flow", "rows", "pairs", "benchmarks"]
VIEWS: tuple[View, ...] = ("flow", "rows", "pairs", "benchmarks")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataState:
    """Empty means no condition. Several values of one field mean any of them."""

    set: str = ""
    """The name of the set; empty: the list of all."""
    view: View = "flow"
    source: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    fate: Literal["", "kept", "dropped"] = ""
    outcome: tuple[str, ...] = ()
    """Of pairs: what the curation made of them."""
    judged: Literal["", "open", "same", "different", "unsure"] = ""
    """Of pairs: what a person has said about them; open: nobody has."""
    similar: Literal["", "most", "least"] = ""
    """The order of pairs; empty: as written."""
    text: str = ""
    """What questions, answers or ids contain, in any case of letters."""
    id: str = ""
    """The open row: its id, or SOURCE:ROW, or # and its place in the file."""
    pair: str = ""
    """The open pair: the hash of its two texts."""
