"""Ask a checkpoint questions, grade the answers, keep every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orz_bench.api import (
        Contamination,
        Probed,
        Results,
        check_contamination,
        compare,
        evaluate,
        grade,
        load,
        probe,
    )

__all__ = [
    "Contamination", "Probed", "Results", "check_contamination", "compare", "evaluate", "grade", "load", "probe",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orz_bench import api

    return getattr(api, name)
