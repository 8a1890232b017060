"""The page Suspicious."""

from __future__ import annotations

import streamlit as st

from app.context import Context
from app.markdown import escaped


def render(context: Context) -> None:
    """Draw the page for the one run that is chosen."""
    st.caption(f"Nothing is shown of {escaped(context.run.name)} here.")
