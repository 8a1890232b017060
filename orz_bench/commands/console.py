"""Where results go: stdout, wide enough for a whole table when it is no terminal."""

from __future__ import annotations

import sys

from rich.console import Console

_WIDTH_OF_FILES = 150


def result_console() -> Console:
    """A console on stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
