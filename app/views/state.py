"""The address of the page that is open, read as its state and written back; what it says wrongly is told on top."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st

from app import url
from app.markdown import escaped

State = TypeVar("State")


def read_state(kind: type[State]) -> State:
    """The state that the address says, with a line for each thing that it says wrongly."""
    found = url.read(kind, parameters())
    for fault in found.faults:
        st.warning(escaped(fault))
    return found.state


def write_state(kind: type[Any], **changes: Any) -> None:
    """Change fields of the state; parameters that are not the state's stay."""
    state = replace(url.read(kind, parameters()).state, **changes)
    wanted = url.parameters(state)
    for name in kind.__dataclass_fields__:
        if name in wanted:
            st.query_params[name] = wanted[name]
        elif name in st.query_params:
            del st.query_params[name]


def parameters() -> dict[str, list[str]]:
    """Of the address, each with all of its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
