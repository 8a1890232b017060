"""Style sheets for st.html, and the app's icon."""

from __future__ import annotations

from pathlib import Path

SHELL_STYLE = Path(__file__).with_name("shell.css")
"""For every page: denser, and without some of Streamlit's decoration."""
ROLLOUT_STYLE = Path(__file__).with_name("rollouts.css")
"""For pages that show responses. Its colours are translucent, so that they suit light and dark."""
ICON = Path(__file__).with_name("icon.svg")
"""The tab's icon; one of Streamlit's own would be fetched from another site."""
