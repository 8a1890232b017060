"""The beginning of a file, from which its format is recognised: by what is in it, whatever it is called."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from orz_bench.errors import DataError
from orz_bench.records.regular import require_regular
from orz_bench.records.tables import parse_json, read_table

Container = Literal["lines", "list", "object", "csv", "parquet", "zip", "events", "wandb", "text"]
_HEAD_BYTES = 1 << 16
_HEAD_ROWS = 20
_POINTER = b"version https://git-lfs"
_EVENTS = b"brain.Event:"
"""In the first record of TensorBoard's event files."""
_PICKLE_NAMES = (".pkl", ".pickle", ".pt", ".pth", ".bin")


@dataclass(eq=False)
class Head:
    """A file, opened as far as its recognition needs."""

    path: Path
    step_column: str | None = None
    """The column with the step that the user names: a table that has it is one of curves."""
    container: Container = field(init=False)

    def __post_init__(self) -> None:
        """DataError for a file that cannot be read, and for what only looks like one: a pointer, a pickle."""
        try:
            require_regular(self.path)
            with self.path.open("rb") as file:
                start = file.read(_HEAD_BYTES)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error}); name a file of rollouts or curves.") from error
        if start.startswith(_POINTER):
            raise DataError(
                f"{self.path}: a Git LFS pointer, not the file itself; fetch the contents with `git lfs pull` first."
            )
        if not start.strip():
            raise DataError(f"{self.path}: has no rows; the file is empty.")
        self.container = _container(self.path, start)

    @cached_property
    def rows(self) -> list[Any]:
        """The first rows of a table; empty for the others."""
        return list(itertools.islice(self.all_rows(), _HEAD_ROWS))

    @property
    def row(self) -> dict[str, Any]:
        """The first row of a table, if it is an object."""
        first = self.rows[0] if self.rows else None
        return first if isinstance(first, dict) else {}

    def has(self, *names: str) -> bool:
        """Whether the first row of a table, or the object, has all these fields."""
        fields = self.object if self.container == "object" else self.row
        return all(name in fields for name in names)

    @cached_property
    def document(self) -> Any:
        """The value of a JSON file. DataError where it is not whole."""
        try:
            return parse_json(self.path.read_text(encoding="utf-8-sig", errors="replace"), strict=False)
        except ValueError as error:
            raise DataError(f"{self.path}: not readable as JSON ({error}); restore the whole file.") from error

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object of the file; empty for other containers."""
        return self.document if self.container == "object" and isinstance(self.document, dict) else {}

    @property
    def is_columnar(self) -> bool:
        """Whether it is an object with the columns and the data of a table, as Weights & Biases writes them."""
        return all(isinstance(self.object.get(name), list) for name in ("columns", "data"))

    def all_rows(self) -> Iterator[Any]:
        """Every row of a table, in order; only a list may have rows that are no objects."""
        if self.container == "list":
            yield from self.document if isinstance(self.document, list) else ()
        elif self.is_columnar:
            yield from (dict(zip(self.object["columns"], cells, strict=False)) for cells in self.object["data"])
        elif self.container in ("lines", "csv", "parquet"):
            suffix = {"lines": ".jsonl", "csv": ".csv", "parquet": ".parquet"}[self.container]
            for _, row in read_table(self.path, strict=False, suffix=suffix):
                yield {k: v for k, v in row.items() if v not in (None, "")} if suffix == ".csv" else row

    def lines(self) -> Iterator[str]:
        """The lines of a text; carriage returns, with which progress bars overwrite themselves, end a line too."""
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                yield from line.rstrip("\n").split("\r")

    @property
    def ends_with_line(self) -> bool:
        """Whether the last line of a text has an end: without one it may be cut."""
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) in b"\r\n"

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The names in a zip."""
        if self.container != "zip":
            return ()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(archive.namelist())
        except zipfile.BadZipFile as error:
            raise DataError(f"{self.path}: a damaged zip file ({error}); restore it.") from error


def _container(path: Path, start: bytes) -> Container:
    if start.startswith(b"PK\x03\x04"):
        if path.suffix.lower() in _PICKLE_NAMES:
            raise _pickle(path)
        return "zip"
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b":W&B"):
        return "wandb"
    if ".tfevents." in path.name or _EVENTS in start[:64]:
        return "events"
    if start[:1] == b"\x80" or path.suffix.lower() in _PICKLE_NAMES:
        raise _pickle(path)
    if path.suffix.lower() == ".csv":
        return "csv"
    text = start.decode("utf-8-sig", errors="replace").lstrip()
    if text.startswith("["):
        return "list" if path.suffix.lower() in (".json", "") or _is_json(text) else "text"
    if text.startswith("{"):
        return "lines" if path.suffix.lower() in (".jsonl", ".ndjson") or _has_whole_first_line(text) else "object"
    return "text"


def _is_json(text: str) -> bool:
    return text[1:].lstrip()[:1] in ("{", "[", '"', "]")


def _has_whole_first_line(text: str) -> bool:
    """Whether the first line is an object by itself, with another behind it."""
    first, newline, rest = text.partition("\n")
    if not newline or not rest.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


def _pickle(path: Path) -> DataError:
    return DataError(
        f"{path}: a pickle, which can run any program when it is loaded, so it is not read; save it as JSON lines or "
        f"Parquet with the tool that wrote it."
    )
