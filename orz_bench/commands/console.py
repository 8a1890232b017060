"""Where results go: stdout, wide enough for a whole table when it is no terminal."""

from __future__ import annotations

import io
import sys

from rich.console import Console, RenderableType

_WIDTH_OF_FILES = 150


def as_text(renderable: RenderableType) -> str:
    """The same as a file would hold it."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH_OF_FILES).print(renderable)
    return file.getvalue()


def result_console() -> Console:
    """A console on stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
