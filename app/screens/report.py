"""The page Report."""

from __future__ import annotations

from app.context import Context


def render(context: Context) -> None:
    """Draw the page."""
