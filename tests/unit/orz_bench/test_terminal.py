"""No text and no encoding of a terminal makes a command fail where it prints, and no stream that is closed or full.

A command of its own, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orz_bench.environment import version_text
from tests.support.command_line import PROJECT

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


COMMAND = """
import sys, typer
from rich.console import Console
from orz_bench.terminal import command_line, libraries_on_stderr, print_result, reports_errors, result_console
app = command_line("x", "A test.")
@app.command()
@reports_errors
def run(name: str):
    with libraries_on_stderr():
        for number in range(200):
            Console(stderr=True).print(f"progress {number}")
            print("a library")
    open(name, "w").write("worked")
    result_console().print("results " * 2000)
    print_result("more " * 2000)
app()
"""


def ran(redirections: str, target: Path) -> tuple[int, str]:
    """(exit code, what reached a stderr that is open)."""
    script = f'"{sys.executable}" -c "$CODE" "{target}" {redirections}'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"CODE": COMMAND, "PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert target.read_text(encoding="utf-8") == "worked"
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "redirections",
    [">&-", "2>&-", "2>/dev/full", "<&- >&- 2>&-", "2> >(true)", "| true", "| head -c 9", ">&- 2>/dev/full"],
)
def test_streams_that_are_gone_are_no_reason_to_end(tmp_path: Path, redirections: str) -> None:
    assert ran(redirections, tmp_path / "done")[0] == 0


def test_results_that_do_not_fit_on_the_disk_are_told_at_the_end(tmp_path: Path) -> None:
    code, said = ran(">/dev/full", tmp_path / "done")
    assert code == 2
    assert "stdout cannot be written" in said
    assert ran(">/dev/full 2>/dev/full", tmp_path / "again")[0] == 2


@pytest.mark.parametrize("module", ["orz_bench", "orz_rl", "analysis"])
def test_every_program_tells_its_version(module: str) -> None:
    command = [sys.executable, "-m", f"{module}.cli", "--version"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    program = {"orz_bench": "orz-bench", "orz_rl": "orz-rl", "analysis": "orz-analysis"}[module]
    assert done.stdout == f"{program} {version_text()}\n"


SHOWS = """
import sys, typer
from rich.table import Table
from orz_bench.errors import DataError
from orz_bench.terminal import command_line, print_result, reports_errors, result_console, stderr_console
app = command_line("x", "A test.")
@app.command("run")
@reports_errors
def run(name: str, number: int = 1):
    table = Table("a", "b")
    table.add_row(name, "1")
    result_console().print(table, name, markup=False)
    stderr_console().print(name, markup=False, soft_wrap=True)
    print_result(name)
    if number == 2:
        open(name)
    raise DataError(f"{name}: what was found")
@app.command("other")
def other(): ...
app()
"""


def shown(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", SHOWS, *arguments], cwd=PROJECT, capture_output=True, check=False, env={**os.environ}
    )


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x07", "\r", "\x08", "\x7f", "\x9b31m", "\u202e"])
def test_control_characters_of_names_are_shown_not_obeyed(sign: str) -> None:
    done = shown("run", f"a{sign}b")
    assert done.returncode == 2
    for stream in (done.stdout.decode(), done.stderr.decode()):
        assert sign not in stream
        assert "b" in stream


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "LONG"],
        ["run", "x", "--number", "LONG"],
        ["LONG"],
        ["run", "x", "--LONG"],
        ["run", "LONG", "--number", "2"],
    ],
)
def test_a_message_does_not_repeat_a_long_argument(arguments: list[str]) -> None:
    done = shown(*(word.replace("LONG", "y" * 5000) for word in arguments))
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    message = done.stderr.decode().replace("y" * 5000 + "\n", "")  # what the command itself printed
    assert 0 < len(message) < 600
    assert "y" * 301 not in message
