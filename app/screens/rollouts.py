"""The page Rollouts: filter, search, sort and read the rollouts of a run."""

from __future__ import annotations

from app.queries.filters import Filters
from app.views.context import Context
from app.views.explorer import explorer
from app.views.opened import open_run


def render(context: Context) -> None:
    """Draw the page of the chosen run."""
    explorer(open_run(context), kind=Filters)
