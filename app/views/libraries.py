"""The objects of the libraries, which stay for good, are left out of the search for garbage.

Streamlit searches all objects after each drawing of a page, holding Python's lock: with those of pandas, Altair and
DuckDB that took twice as long as the drawing itself, and what was drawn last waited for it.
"""

from __future__ import annotations

import atexit
import gc
import sys
from threading import Lock

_FEW = 40
"""So many new modules are searched with the rest."""
_LOCK = Lock()
_left_out = 0


def leave_libraries_out() -> None:
    """Search only what is made from now on, if modules were loaded since the last time."""
    global _left_out  # noqa: PLW0603 - one for the process, as the modules are
    with _LOCK:
        if len(sys.modules) < _left_out + _FEW:
            return
        _left_out = len(sys.modules)
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)  # some libraries report what is still there at the end
    gc.collect()
    gc.freeze()
