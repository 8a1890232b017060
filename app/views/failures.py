"""Errors on a page: ours are shown as they are, a bug as one sentence; details are in the log."""

from __future__ import annotations

import contextlib
import logging
import secrets
import sys
from collections.abc import Iterator

from app.markdown import escaped
from orz_bench.errors import ConfigError, OrzError
from orz_bench.installed.extras import missing, require

_LOG = logging.getLogger("orz.app")


def require_server() -> None:
    """End the process where Streamlit is missing, with what to install."""
    if "streamlit" in missing("app"):
        try:
            require("app", what="the app")
        except ConfigError as error:
            sys.stderr.write(f"error: {error}\n")
            sys.exit(2)


def require_libraries() -> None:
    """End the script in the page where a library of the extra `app` is missing."""
    try:
        require("app", what="the app")
    except ConfigError as error:
        import streamlit as st

        st.error(escaped(str(error)), icon=":material/error:")
        st.stop()


@contextlib.contextmanager
def shown_errors() -> Iterator[None]:
    """Draw an error in place of the content. Streamlit's control flow exceptions pass."""
    import streamlit as st

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
