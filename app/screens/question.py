"""The page Question: one question across the checkpoints of a run."""

from __future__ import annotations

from app.context import Context
from app.views.opened import open_run
from app.views.question_view import question_page


def render(context: Context) -> None:
    """Draw the page for the one run that is chosen."""
    question_page(open_run(context))
