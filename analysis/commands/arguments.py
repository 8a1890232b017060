"""Arguments and options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[
    list[Path],
    typer.Argument(help="Run directories, dumps of Open-Reasoner-Zero, or files: JSON lines, JSON, CSV, Parquet."),
]
Source = Annotated[Path, typer.Argument(help="A run directory, a dump, or a file.")]
LexiconName = Annotated[str, typer.Option("--lexicon", help="orz-code, orz-paper, urz15 or extended.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]


def split_names(text: str | None) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
