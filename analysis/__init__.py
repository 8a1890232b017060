"""Read finished or running runs and return tables, figures and reports: orz-analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.api import (
        Behaviour,
        Response,
        StepMoments,
        Study,
        TokenLayer,
        draw,
        load,
        step_moments,
        token_layer,
        write_report,
    )

__all__ = [
    "Behaviour", "Response", "StepMoments", "Study", "TokenLayer", "draw", "load", "step_moments", "token_layer",
    "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from analysis import api

    return getattr(api, name)
