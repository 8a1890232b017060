"""The tests of one problem as in the dataset: kept packed, and read without executing anything in them.

The hub's release stores hidden tests as base64 of zlib of a *pickle* of a JSON text. A pickle can execute code: only
one that creates a single text and does nothing else is read, everything else is rejected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import pickletools
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import DataError, counted

MAX_BYTES = 2**30
"""Limit for one problem's tests, unpacked."""
_NOTHING_DONE = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "STOP"}
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}


@dataclass(frozen=True, slots=True)
class ProgramTest:
    """One test: the input and the correct output; for a function, JSON arguments, one per line, and its JSON value."""

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTests:
    """All tests of one problem."""

    tests: tuple[ProgramTest, ...]
    function: str | None
    """The function to call; None for a program that reads standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedTests:
    """The tests as in the dataset."""

    public: str
    """JSON."""
    private: str
    """JSON, or base64 of zlib of a pickled JSON text."""
    function: str | None

    @property
    def digest(self) -> str:
        """Identifies these tests: the problem's gold."""
        digest = hashlib.sha256()
        for part in (self.public, self.private, self.function or ""):
            digest.update(f"{len(part)}:".encode() + part.encode("utf-8", errors="surrogatepass"))
        return f"tests sha256:{digest.hexdigest()[:32]}"

    def unpack(self) -> ProgramTests:
        """The tests. Raises DataError if they are not a list of tests, or could be read only by executing them."""
        rows = [*_rows(self.public, what="public"), *_rows(_private_json(self.private), what="private")]
        tests = tuple(ProgramTest(_text(row, "input"), _text(row, "output")) for row in rows)
        if self.function is not None:
            _require_json(tests)
        return ProgramTests(tests=tests, function=self.function)


def _rows(text: str, *, what: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"its {what} tests are not JSON ({error})") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"its {what} tests are not a list of objects")
    return rows


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise DataError(f"a test has no text under {key!r} (keys: {', '.join(map(str, row)) or 'none'})")
    return value


def _require_json(tests: Iterable[ProgramTest]) -> None:
    for number, test in enumerate(tests, start=1):
        try:
            json.loads(test.output)
            for line in test.input.split("\n"):
                json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"test {number} calls a function, but its input or output is not JSON ({error})") from error


def _private_json(text: str) -> str:
    if text.lstrip().startswith("["):
        return text
    try:
        packed = base64.b64decode(text, validate=True)
        inflater = zlib.decompressobj()
        content = inflater.decompress(packed, MAX_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise DataError(f"its private tests are neither JSON nor base64 of zlib ({error})") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise DataError(f"its private tests unpack to more than {MAX_BYTES:,} bytes, or are truncated")
    return pickled_text(content)


def pickled_text(content: bytes) -> str:
    """The text in a pickle. Raises DataError if the pickle does anything but create one text."""
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _TEXTS:
                texts.append(str(argument))
            elif opcode.name not in _NOTHING_DONE:
                raise DataError(
                    f"its private tests are a pickle that does more than create a text ({opcode.name}); "
                    f"it is not loaded"
                )
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"its private tests are not a readable pickle ({error})") from error
    if len(texts) != 1:
        raise DataError(
            f"its private tests are a pickle of {counted(len(texts), 'text')}, wanted one; it is not loaded"
        )
    return texts[0]
