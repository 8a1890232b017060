"""Fragments, the parts of a page that are drawn again by themselves: each belongs to one page.

A browser can still ask for a part of the page before, by a timer or a key, until it knows of the next page. Streamlit
answers as long as it knows a fragment of that function at that place: the browser then clears the next page, and what
is drawn into it breaks the app ("Bad delta path index"). So no two pages share a fragment, and those of a page are
forgotten as soon as another page is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

P = ParamSpec("P")
_PAGE = "fragments:page"


def fragment(view: Callable[P, object], *, run_every: float | None = None) -> Callable[P, None]:
    """The view as a fragment of the page that is being drawn, drawn again every so many seconds."""

    @wraps(view)
    def of_page(*args: P.args, **kwargs: P.kwargs) -> None:
        view(*args, **kwargs)

    ctx = get_script_run_ctx()
    of_page.__qualname__ = f"{view.__qualname__}@{ctx.page_script_hash if ctx else ''}"  # Streamlit's id contains it
    return st.fragment(of_page, run_every=run_every)


def current_page() -> str:
    """What tells the page that is being drawn from others."""
    ctx = get_script_run_ctx()
    return ctx.page_script_hash if ctx is not None else ""


def forget_fragments() -> None:
    """Draw none of the fragments that were drawn so far again: another page is about to be drawn."""
    ctx = get_script_run_ctx()
    if ctx is not None:
        ctx.fragment_storage.clear()


def forget_other_pages() -> None:
    """Forget the fragments of the page drawn before, if it is another one. Called before anything is drawn."""
    ctx = get_script_run_ctx()
    if ctx is not None and st.session_state.get(_PAGE, ctx.page_script_hash) != ctx.page_script_hash:
        forget_fragments()


def remember_page() -> None:
    """Remember which page is drawn. Called once the address has been resolved to one."""
    ctx = get_script_run_ctx()
    if ctx is not None:
        st.session_state[_PAGE] = ctx.page_script_hash
