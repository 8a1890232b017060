"""What the library transformers imports when a model class is first used."""

from __future__ import annotations

import sys
from typing import Any

_UNUSED = ("sklearn", "scipy")
"""Of use to assisted generation and to object detection only; scikit-learn also loads pandas."""


def leave_out_unused() -> None:
    """Let transformers take what nothing here needs as not installed: a fifth of the CPU time of its import.

    Call it before the first `from transformers import AutoModel...` of a process. Other libraries still import them.
    """
    from transformers.utils import import_utils

    for name in _UNUSED:
        is_available: Any = getattr(import_utils, f"is_{name}_available", None)
        if name in sys.modules or not hasattr(is_available, "cache_clear"):
            continue  # loaded already, or a version of transformers that does not remember the answer
        sys.modules[name] = None  # type: ignore[assignment]  # to find_spec this is a module that is not there
        try:
            is_available.cache_clear()
            is_available()
        finally:
            del sys.modules[name]
