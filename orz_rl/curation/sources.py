"""The rows of the sources: files, files of hub datasets at a pinned commit, and tasks that a program makes.

A row that cannot be read, or has no question or no answer, is dropped with the reason; a source that is missing, has
another content than stated, or no column for questions, is an error.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from orz_bench.benchmarks.own.address import HUB, TableAddress, table_address
from orz_bench.benchmarks.own.columns import ANSWER, IDS, OPTIONS, QUESTION, Table, at, normal, question_text, scalar
from orz_bench.benchmarks.own.table import files_of, from_conversation
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.records.parquet import storable
from orz_bench.records.tables import SUFFIXES, read_rows_or_faults
from orz_rl.curation import synthetic
from orz_rl.curation.rows import Fate, Row
from orz_rl.curation.settings import SourceSettings

_ROWS_FOR_COLUMNS = 2000
"""Rows in which the columns of questions, answers and ids are looked for."""
_PINNED = re.compile(r"hub:[^@]+@[0-9a-f]{40}(?:/.*)?")
_LONGEST_EXTRA = 200
"""Characters of another column's text that are kept."""
_NOT_FOR_TRAINING = {*QUESTION, *ANSWER, "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source whose content is known."""

    name: str
    settings: SourceSettings
    files: tuple[Path, ...]
    """Empty for tasks that a program makes."""
    sha256: str
    """Of the content of all files, or of what the program is asked for."""


@dataclass(slots=True)
class _Ids:
    """Ids that are used already, as hashes."""

    seen: set[int] = field(default_factory=set)

    def unique(self, wanted: str, *, source: str, number: int) -> str:
        """The wanted id, with its source's name where that is needed, and with its number where that does not help."""
        for id_ in (wanted, f"{source}:{wanted}", f"{source}:{wanted}#{number}"):
            digest = int.from_bytes(hashlib.blake2b(id_.encode("utf-8", "replace"), digest_size=8).digest(), "little")
            if digest not in self.seen:
                self.seen.add(digest)
                return id_
        raise DataError(f"{source}: the id {wanted!r} is used too often; give every row its own.")


def open_sources(settings: Sequence[SourceSettings]) -> list[Source]:
    """Find every source and hash it. DataError for what is missing, changed or not pinned."""
    names = source_names(settings)
    return [_opened(each, name) for each, name in zip(settings, names, strict=True)]


def source_names(settings: Sequence[SourceSettings]) -> list[str]:
    """Their own names, else their files', with as many folders as are needed to tell them apart."""
    paths = [Path(_address(each).place.removeprefix(HUB).removeprefix(synthetic.PREFIX)) for each in settings]
    names = [each.name or path.stem for each, path in zip(settings, paths, strict=True)]
    for depth in range(1, max(len(path.parts) for path in paths)):
        shared = {name for name, times in Counter(names).items() if times > 1}
        for place, (each, path) in enumerate(zip(settings, paths, strict=True)):
            if names[place] in shared and not each.name:
                names[place] = "/".join([*path.parent.parts[-depth:], path.stem])
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ConfigError(f"sources: two are called {twice!r}; give each its own name, or name it once.")
    return names


def read_rows(sources: Sequence[Source]) -> Iterator[Fate]:
    """The rows of all sources in order, numbered from 0; those without question or answer are dropped."""
    ids = _Ids()
    number = 0
    for source in sources:
        for fate in _rows_of(source):
            row = fate.row
            unique = ids.unique(row.id or f"{source.name}-{row.number}", source=source.name, number=row.number)
            yield Fate(
                row=Row(
                    number=number,
                    id=unique,
                    source=row.source,
                    place=row.place,
                    question=row.question,
                    answer=row.answer,
                    extra=row.extra,
                ),
                reason=fate.reason,
                evidence=fate.evidence,
            )
            number += 1


def _opened(settings: SourceSettings, name: str) -> Source:
    if synthetic.is_made(settings.path):
        synthetic.check(settings)
        what = (
            f"{settings.path} {settings.count} {sorted(settings.settings.items())} {synthetic.version(settings.path)}"
        )
        return Source(name=name, settings=settings, files=(), sha256=hashlib.sha256(what.encode()).hexdigest())
    address = _address(settings)
    if address.options.kind not in (None, "math"):
        raise ConfigError(f"{settings.path}: kind={address.options.kind}, but only answers of mathematics are curated.")
    if address.place.startswith(HUB) and _PINNED.fullmatch(address.place) is None:
        raise DataError(f"{settings.path}: no commit is named, so its content may change.{_pinned_address(address)}")
    files = tuple(files_of(address))
    found = _sha256(files)
    if settings.sha256 not in (None, found):
        raise DataError(
            f"{settings.path}: its SHA-256 is {found}, but {settings.sha256} is wanted; restore the file, or state the "
            f"new hash."
        )
    return Source(name=name, settings=settings, files=files, sha256=found)


def _address(settings: SourceSettings) -> TableAddress:
    address = table_address(settings.path)
    if address is None and not synthetic.is_made(settings.path):
        raise ConfigError(
            f"{settings.path}: is no source; wanted a file ({', '.join(SUFFIXES)}), {HUB}OWNER/NAME@COMMIT/FILE, "
            f"{synthetic.PREFIX}NAME or {synthetic.ARITHMETIC}."
        )
    return address or TableAddress(place=settings.path)


def _pinned_address(address: TableAddress) -> str:
    from huggingface_hub import HfApi

    dataset, _, file = address.place.removeprefix(HUB).partition("@")[0].partition("/")[2].partition("/")
    owner = address.place.removeprefix(HUB).partition("/")[0]
    try:
        commit = HfApi().dataset_info(f"{owner}/{dataset}", timeout=30).sha
    except Exception:
        commit = "COMMIT"
    return f" Write {HUB}{owner}/{dataset}@{commit}{f'/{file}' if file else ''}."


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _rows_of(source: Source) -> Iterator[Fate]:
    """Numbered within the source; an empty id where the row has none."""
    if not source.files:
        yield from synthetic.tasks(source.settings, source=source.name)
        return
    placed = (
        (where if len(source.files) == 1 else f"{path.name}, {where}", _as_object(row))
        for path in source.files
        for where, row in read_rows_or_faults(path)
    )
    head = list(islice(placed, _ROWS_FOR_COLUMNS))
    readable = [(where, row) for where, row in head if not isinstance(row, DataError)]
    if head and not readable:
        raise DataError(
            f"{source.settings.path}: none of its first {counted(len(head), 'row')} can be read; {head[0][0]}: "
            f"{head[0][1]}. Restore the file, or name another."
        )
    columns = _Columns.of(source, readable)
    for number, (where, row) in enumerate(chain(head, placed)):
        yield columns.fate(row, where=where, number=number)


def _as_object(row: Any) -> Any:
    """A row of the ORZ format as an object."""
    try:
        return from_conversation(row) if isinstance(row, list) else row
    except DataError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a source has what."""

    source: str
    question: str
    answer: str
    ids: tuple[str, ...]

    @classmethod
    def of(cls, source: Source, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> _Columns:
        """DataError where no column, or more than one, can be the question or the answer."""
        table = Table.of(source.settings.path, rows)
        options = _address(source.settings).options
        ids = [column for wanted in IDS for column in table.columns if normal(column) == wanted]
        return cls(
            source.name,
            table.require(options.question, QUESTION, option="question"),
            table.require(options.answer, ANSWER, option="answer"),
            (table.named(options.id, option="id"),) if options.id else tuple(ids),
        )

    def fate(self, row: Any, *, where: str, number: int) -> Fate:
        """What becomes of a row of the source."""
        if isinstance(row, DataError):
            broken = self._row({}, where, number=number, texts=("", ""))
            return Fate(row=broken, reason="broken_row", evidence={"why": str(row)})
        question, why_none = _text(row, self.question, read=question_text)
        answer, why_no_answer = _text(row, self.answer, read=scalar)
        reason = "no_question" if not question else "no_answer" if not answer else ""
        evidence = {"why": why_none or why_no_answer} if reason else {}
        found = self._row(row, where, number=number, texts=(question, answer))
        return Fate(row=found, reason=reason, evidence=evidence)

    def _row(self, row: Mapping[str, Any], where: str, *, number: int, texts: Sequence[str]) -> Row:
        values = (at(row, column) for column in self.ids)
        id_ = next((str(v).strip() for v in values if isinstance(v, str | int) and str(v).strip()), "")
        question, answer = (storable(text) or "" for text in texts)
        return Row(
            number=number,
            id=storable(id_) or "",
            source=self.source,
            place=where,
            question=question,
            answer=answer,
            extra=self._extra(row),
        )

    def _extra(self, row: Mapping[str, Any]) -> dict[str, Any]:
        used = {self.question, self.answer, *self.ids}
        facts = {name: value for name, value in row.items() if name not in used and _is_short(name, value)}
        return facts | {name: True for name, value in row.items() if normal(name) in OPTIONS and bool(value)}


def _is_short(name: str, value: Any) -> bool:
    if normal(name) in _NOT_FOR_TRAINING or (isinstance(value, float) and math.isnan(value)):
        return False
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _LONGEST_EXTRA)


def _text(row: Mapping[str, Any], column: str, *, read: Any) -> Sequence[str]:
    """(the text, why there is none)."""
    try:
        return read(at(row, column)), ""
    except DataError as error:
        return "", f"column {column}: {error}"
