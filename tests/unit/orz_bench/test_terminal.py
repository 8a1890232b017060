"""No text and no encoding of a terminal makes a command fail where it prints."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.command_line import PROJECT

PRINTS = r"""
    import typer
    from orz_bench.errors import DataError
    from orz_bench.terminal import command_line, reports_errors, result_console
    app = command_line("x", "y")
    TEXT = "\u00b1 1.2, \u7b54, half \ud83d, path \udcff, nul \x00"

    @app.command()
    @reports_errors
    def run() -> None:
        typer.echo(TEXT)
        result_console().print(TEXT, markup=False)
        raise DataError(TEXT)

    app()
"""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1", "shift_jis"])
def test_whatever_is_printed_arrives(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PRINTS)],
        cwd=PROJECT,
        env=os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout.count(b"half ") == 2
    assert b"error: " in done.stderr
    assert b"Traceback" not in done.stderr
