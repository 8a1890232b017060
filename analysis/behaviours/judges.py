"""Judge models by name: they are opened in another package, which is imported only when one is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from analysis.behaviours.marking import Judge

_OPENER = "orz_bench.judging.judge"


def opened_judge(name: str, options: object, *, notice: Callable[[str], None]) -> AbstractContextManager[Judge]:
    """A context in which the judge can be asked; `options` are orz_bench.judging.options.JudgeOptions.

    ConfigError or EngineError for a model that cannot be opened.
    """
    opener: Any = importlib.import_module(_OPENER)
    found: AbstractContextManager[Judge] = opener.open_judge(name, options, notice=notice)
    return found
