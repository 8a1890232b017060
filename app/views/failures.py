"""Errors on a page: ours are shown as they are, a bug as one sentence; details are in the log."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

import streamlit as st

from app.markdown import escaped
from orz_bench.errors import OrzError

_LOG = logging.getLogger("orz.app")


@contextlib.contextmanager
def shown_errors() -> Iterator[None]:
    """Draw an error in place of the content. Streamlit's control flow exceptions pass."""
    try:
        yield
    except OrzError as error:
        st.error(escaped(str(error)), icon=":material/error:")
    except Exception:
        number = secrets.token_hex(3)
        _LOG.exception("fault %s", number)
        st.error(
            f"This part could not be drawn because of a fault of the app, number {number} in the server's log. "
            f"The rest of the app works, and the runs are unchanged.",
            icon=":material/bug_report:",
        )
