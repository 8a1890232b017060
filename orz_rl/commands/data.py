"""orz-rl data: the published training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orz_bench.terminal import Former, libraries_on_stderr, reports_errors, result_console

data_app = typer.Typer(
    help="Training data: list and download the published files.", no_args_is_help=True, rich_markup_mode=None
)
Folder = Annotated[Path, typer.Option(help="Folder of the files.")]


@data_app.command("list")
@reports_errors
def list_data_command(out: Folder = Path("data"), to: Former = None) -> None:
    """List the files that Open-Reasoner-Zero published: source, licence, and whether they are present."""
    from orz_rl.assets.published_data import COMMIT, LICENCE, PUBLISHED_DATA, PUBLISHER, is_published_content

    table = Table(box=None, pad_edge=False)
    for column in ("name", "file", "here", "dataset on the hub"):
        table.add_column(column, no_wrap=True)
    table.add_column("what")
    for name, data in PUBLISHED_DATA.items():
        path = (to or out) / data.file
        here = "no" if not path.exists() else "as published" if is_published_content(data, path) else "other content"
        table.add_row(name, data.file, here, data.dataset, data.about)
    console = result_console()
    console.print(table)
    console.print(
        f"publisher: {PUBLISHER}, licence: {LICENCE}. As published: same content as in data/ of the publisher's "
        f"repository at {COMMIT[:12]} (by git's hash); the hub's copies are not pinned.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@data_app.command("fetch")
@reports_errors
def fetch_data_command(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `orz-rl data list` [default: orz-57k].")] = None,
    *,
    out: Folder = Path("data"),
    to: Former = None,
) -> None:
    """Download training data from the hub into the folder that recipes read. Existing files are not changed."""
    from orz_rl.assets.published_data import fetch_published, get_published

    wanted = names or ["orz-57k"]
    for name in wanted:
        get_published(name)
    for name in wanted:
        with libraries_on_stderr():
            fetched = fetch_published(name, folder=to or out)
        what = "as published" if fetched.is_published_content else "differs from the publisher's repository"
        result_console().print(
            f"{name}: {fetched.path}{'' if fetched.is_new else ' (already present)'}, SHA-256 {fetched.sha256}, {what}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
