"""The libraries of the pages: loaded while the browser opens, and left out of the search for garbage.

Their objects stay for good. Streamlit searches all objects after each drawing of a page, holding Python's lock: with
those of pandas, Altair and DuckDB that took twice as long as the drawing itself, and what was drawn last waited for it.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from threading import Lock, Thread

_FEW = 40
"""So many new modules are searched with the rest."""
_LOCK = Lock()
_left_out = 0
_loading: Thread | None = None


def begin_loading(modules: Iterable[str]) -> None:
    """Import these modules on a thread of its own, with what they import."""
    global _loading  # noqa: PLW0603 - one for the process, as the modules are

    def load() -> None:
        with suppress(ImportError):  # whoever needs it says so
            for name in modules:
                import_module(name)

    _loading = Thread(target=load, daemon=True)
    _loading.start()


def wait_for_libraries() -> None:
    """Return once begin_loading() is done: two threads must not import the same modules in different orders."""
    if _loading is not None:
        _loading.join()


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
