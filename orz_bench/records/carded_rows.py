"""Rows that one computation adds to over several calls, in a folder with a card of everything that can move them.

    <parent>/<digest of the card>/card.json, rows.jsonl, summary.json

Rows of different cards are in different folders, and are never mixed. A line torn by a killed process is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.lines import append_row, read_rows
from orz_bench.records.locks import holder, locked
from orz_bench.records.parquet import disk_error
from orz_bench.records.run_dir import read_json, to_json, write_text

CARD, ROWS, SUMMARY = "card.json", "rows.jsonl", "summary.json"
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class CardedRows:
    """The folder of one computation."""

    path: Path

    @classmethod
    def under(cls, parent: Path, card: Mapping[str, Any]) -> CardedRows:
        """The folder for this card."""
        text = json.dumps(dict(card), sort_keys=True, ensure_ascii=False)
        return cls(parent / hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGITS])

    @contextlib.contextmanager
    def writing(self, card: Mapping[str, Any]) -> Iterator[None]:
        """Create the folder or join it, and own it. RunDirError if another process writes there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(self.path, error) from error
        with locked(self.path) as is_owner:
            if not is_owner:
                raise RunDirError(f"{self.path}: another process writes here{holder(self.path)}. Wait for it.")
            if not (self.path / CARD).exists():
                write_text(self.path / CARD, to_json(dict(card)))
            yield

    def card(self) -> dict[str, Any]:
        """What can move the rows. RunDirError for a file that is damaged."""
        return read_json(self.path / CARD)

    def rows(self) -> list[dict[str, Any]]:
        """Every whole row, in the order in which they were added."""
        return read_rows(self.path / ROWS)[0]

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, each synced. RunDirError where the disk refuses."""
        for row in rows:
            append_row(self.path / ROWS, row)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace what follows from the rows."""
        write_text(self.path / SUMMARY, to_json(dict(summary)))

    def summary(self) -> dict[str, Any] | None:
        """What follows from the rows; None if it was not written yet. RunDirError for a file that is damaged."""
        return read_json(self.path / SUMMARY) if (self.path / SUMMARY).exists() else None


def carded_under(parent: Path) -> list[CardedRows]:
    """Every folder with a card, by name."""
    return [CardedRows(path.parent) for path in sorted(parent.glob(f"*/{CARD}"))]
