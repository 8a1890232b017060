"""The style sheet of the whole app, for density and with less of what Streamlit adds, and its icon."""

from __future__ import annotations

from pathlib import Path

STYLE = Path(__file__).with_name("shell.css")
"""For st.html."""
ICON = Path(__file__).with_name("icon.svg")
"""The tab's icon; one of Streamlit's own would be fetched from another site."""
