"""The page Suspicious: the queue of rollouts worth a look, each with its reason."""

from __future__ import annotations

from app.context import Context
from app.views.opened import open_run
from app.views.suspicious_view import suspicious_page


def render(context: Context) -> None:
    """Draw the page for the one run that is chosen."""
    suspicious_page(open_run(context))
