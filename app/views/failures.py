"""What a reader sees when something goes wrong: our errors as they are, a bug as one sentence; the log has the rest."""

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
    """Draw an error in the place of what was to be drawn. Streamlit's own control flow passes."""
    try:
        yield
    except OrzError as error:
        st.error(escaped(str(error)), icon=":material/error:")
    except Exception:
        number = secrets.token_hex(3)
        _LOG.exception("fault %s", number)
        st.error(
            f"This part could not be drawn: a fault of the app, number {number} in the log of the server. "
            f"The rest of the app goes on; the runs are untouched.",
            icon=":material/bug_report:",
        )
