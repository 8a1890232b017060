"""Addresses that the app has written and the browser has not yet taken over.

A browser sends its address with every request, also one that was on its way while the app wrote a new address: a timer
that refreshes a part of the page sends such requests by itself. Taken for the truth, the old address undoes what was
just done: a search that had been typed was gone. So an address that was there before the last one written is replaced
by the latter, until the browser has sent that once. What Back and Forward lead to is never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

Address = Mapping[str, Sequence[str]]
_WRITTEN = "address:written"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written on a page since the browser last sent the address that was written."""

    page: str
    last: Address
    earlier: tuple[Address, ...]


def note(before: Address, after: Address) -> None:
    """Remember that this address was replaced by that one."""
    ctx = get_script_run_ctx()
    if ctx is None:
        return
    known = st.session_state.get(_WRITTEN)
    earlier = known.earlier if isinstance(known, Written) and known.page == ctx.page_script_hash else ()
    st.session_state[_WRITTEN] = Written(ctx.page_script_hash, after, (*earlier, before))


def replacement(now: Address) -> Address | None:
    """The address that holds instead of this one, which is out of date; None where it is not."""
    ctx, known = get_script_run_ctx(), st.session_state.get(_WRITTEN)
    if ctx is None or not isinstance(known, Written):
        return None
    names = {name for address in (known.last, *known.earlier, now) for name in address}
    with ctx.session_state.query_params() as parameters:
        given = {name: parameters.get_initial_value(name) for name in names}
    sent = {name: [value] if isinstance(value, str) else value for name, value in given.items() if value is not None}
    is_elsewhere = known.page != ctx.page_script_hash or ctx.is_history_navigation
    if is_elsewhere or sent == known.last or (now != known.last and now not in known.earlier):
        del st.session_state[_WRITTEN]
        return None
    return None if now == known.last else known.last
