"""The files that an import is given, or finds in folders, each with its format and contents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.registry import UnrecognisedError, read_file
from orz_bench.records.foreign import files_under
from orz_bench.records.foreign_metrics import TITLES
from orz_bench.records.regular import require_regular

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".parquet", ".eval", ".log", ".txt", ".out", ".err", ".wandb")
"""Files of other kinds in a folder are passed over unread: checkpoints stand beside dumps."""
_GENERIC = "jsonl"
_ANY_TOOL = (_GENERIC, "tensorboard", "wandb")
"""Formats that every tool writes: their curves belong to the tool whose folder it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to import."""

    path: Path
    name: str
    """Its own, or from the folder that was given on: the dumps of training and validation have the same names."""
    digest: str
    """SHA-256, 16 digits."""
    format: Format
    contents: Contents

    @property
    def label(self) -> str:
        """Name and digest: the origin that every row keeps."""
        return f"{self.name} {self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a user says about files."""

    format: str | None = None
    """None: recognised by the content."""
    step_column: str | None = None
    """The column of curves with the step."""


def find_sources(paths: Sequence[Path], *, known: Known, notice: Callable[[str], None]) -> list[Source]:
    """Everything that can be imported.

    `notice` gets what is left out. DataError if a file is unreadable or of no format, if a folder mixes tools, and if
    there are only scores without answers.
    """
    found = [source for path in paths for source in _sources_of(path, known=known, notice=notice)]
    usable = [source for source in found if source.contents.kind in ("samples", "curves")]
    reviewed = {source.path.name for source in usable if "review" in source.contents.what}
    for source in found if usable else ():
        if source not in usable:
            notice(f"{source.path}: left out: {_without_answers(source)}")
        elif source.path.name in reviewed and "prediction" in source.contents.what:
            usable.remove(source)
            notice(f"{source.path}: left out: the file of reviews has the same answers with their scores")
    if not usable:
        listed = "; ".join(f"{source.path}: {_without_answers(source)}" for source in found)
        raise DataError(f"{listed}.")
    return usable


def _without_answers(source: Source) -> str:
    contents = source.contents
    scores = ", ".join(f"{one.benchmark} {one.metric} {one.value:.4g}" for one in contents.scores[:5])
    more = ", ..." if len(contents.scores) > 5 else ""
    has = f", scores without answers ({scores}{more})" if contents.scores else ""
    return f"{contents.what}{has}; name {contents.instead}" if contents.instead else f"{contents.what}{has}"


def _sources_of(path: Path, *, known: Known, notice: Callable[[str], None]) -> Iterator[Source]:
    if not path.is_dir():
        yield _source(path, name=path.name, known=known)
        return
    place = Path(path.resolve().name)
    found: list[Source] = []
    refused: list[tuple[Path, DataError]] = []
    for file in sorted(_files_under(path), key=_natural):
        try:
            found.append(_source(file, name=str(place / file.relative_to(path)), known=known))
        except DataError as error:
            refused.append((file, error))
    unreadable = [error for file, error in refused if "wanted a regular file" in str(error)]
    if unreadable:
        raise unreadable[0]
    found = _of_one_tool(path, found, notice=notice)
    unrecognised = [file for file, fault in refused if isinstance(fault, UnrecognisedError)]
    if unrecognised and found:
        named = ", ".join(file.name for file in unrecognised[:4]) + (", ..." if len(unrecognised) > 4 else "")
        notice(f"left out: {counted(len(unrecognised), 'file')} without responses and curves ({named})")
    for file, fault in refused:
        if file not in unrecognised or not found:
            notice(f"left out: {fault}")
    if not found:
        raise UnrecognisedError(
            f"{path}: contains no file of rollouts, scores or curves that is recognised; name the files themselves, or "
            f"the folder of the dumps."
        )
    yield from found


def _of_one_tool(folder: Path, found: list[Source], *, notice: Callable[[str], None]) -> list[Source]:
    """The sources of the tool whose folder it is; tables of responses beside it are left out."""
    examples = {tool: source for source in reversed(found) if (tool := _tool_of(source))}
    tools = examples.keys()
    if len(tools) > 1:
        named = ", ".join(
            f"{TITLES.get(name, name)} ({examples[name].path.name}: {examples[name].contents.what})"
            for name in sorted(tools)
        )
        raise DataError(
            f"{folder}: holds files of several tools: {named}. Import each into a run directory of its own (--from)."
        )
    if not any(source.format.name not in _ANY_TOOL for source in found):
        return found
    kept = [source for source in found if source.format.name != _GENERIC or source.contents.kind == "curves"]
    others = len(found) - len(kept)
    if others:
        notice(f"{folder}: left out: {counted(others, 'table')} of responses that {next(iter(tools))} did not write")
    return kept


def _tool_of(source: Source) -> str:
    """The tool that wrote it, by its format or by the names of its metrics; empty where any may have."""
    return source.contents.tool if source.format.name in _ANY_TOOL else source.format.name


def _files_under(folder: Path) -> Iterator[Path]:
    return (path for path in files_under(folder) if path.suffix.lower() in _SUFFIXES or ".tfevents." in path.name)


def _natural(path: Path) -> list[tuple[str, int]]:
    """Sorts step 9 before step 10."""
    return [(text, int(part or 0)) for text, part in re.findall(r"(\D*)(\d{0,18})", str(path))]


def _source(path: Path, *, name: str, known: Known) -> Source:
    digest = _digest(path)
    format_, contents = read_file(path, named=known.format, step_column=known.step_column)
    return Source(path=path, name=name, digest=digest, format=format_, contents=contents)


def _digest(path: Path) -> str:
    try:
        require_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a file of rollouts.") from error
