"""Arguments and options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LEXICON_HELP = "Words that count as reflection: orz-code, orz-paper, urz15 or extended"
"""The registry is heavy to import; a guard compares the two."""

Runs = Annotated[
    list[Path],
    typer.Argument(help="Run directories, dumps of Open-Reasoner-Zero, or files: JSON lines, JSON, CSV, Parquet."),
]
Source = Annotated[Path, typer.Argument(help="A run directory, a dump, or a file.")]
LexiconName = Annotated[str, typer.Option("--lexicon", help=f"{LEXICON_HELP}.")]


def split_names(text: str | None) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
