"""orz-app: start the app's server on a folder of runs, from a checkout or an installed wheel."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.environment import version_text
from orz_bench.errors import ConfigError
from orz_bench.installed.extras import require
from orz_bench.terminal import command_line, reports_errors

app = command_line("orz-app", "Search, read and compare the rollouts of runs in a browser.")


@reports_errors
def serve_command(
    context: typer.Context,
    *,
    runs: Annotated[Path | None, typer.Option(help="Folder of runs [default: $ORZ_RUNS, else runs].")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of curated sets [default: data beside the runs].")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Start the server on 127.0.0.1; Ctrl-C ends it. Other options are Streamlit's, such as --server.baseUrlPath."""
    if version:
        typer.echo(f"orz-app {version_text()}")
        return
    require("app", what="the app")
    folder = runs or Path(os.environ.get("ORZ_RUNS") or "runs")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; name the folder of runs: orz-app --runs DIR.")
    if data is not None and not data.is_dir():
        raise ConfigError(f"{data}: no such folder; name the folder of curated sets: orz-app --data DIR.")
    script = str(Path(__file__).with_name("main.py"))
    streamlit = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    folders = ["--runs", str(folder), *(["--data", str(data)] if data is not None else [])]
    os.execv(sys.executable, [*streamlit, *context.args, "--", *folders])  # noqa: S606


_SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": ["-h", "--help"]}
app.command("serve", context_settings=_SETTINGS)(serve_command)


def main() -> None:
    """The entry point of the orz-app script."""
    app()


if __name__ == "__main__":
    main()
