"""Where results go: stdout, wide enough for a whole table when it is no terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType

_WIDTH_OF_FILES = 150


def as_text(renderable: RenderableType) -> str:
    """The same as a file would hold it."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH_OF_FILES).print(renderable)
    return file.getvalue()


@contextmanager
def libraries_on_stderr() -> Iterator[None]:
    """What libraries and their C++ print to stdout while this lasts goes to stderr: stdout holds results alone."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def result_console() -> Console:
    """A console on stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
