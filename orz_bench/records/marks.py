"""Which stored responses show a behaviour, in a folder beside them: one folder for each behaviour as it was asked.

evals/<benchmark>/step=000120/<fingerprint>/marks/<behaviour>/<digest>/part-*.parquet, card.json
rollouts/step=000120/marks/<behaviour>/<digest>/part-*.parquet, card.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orz_bench.errors import RunDirError
from orz_bench.records.parquet import part_files, write_parquet
from orz_bench.records.regular import require_regular
from orz_bench.records.run_dir import RolloutsDir, read_json, to_json, write_text

_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("sample_index", pa.int32()),
        ("text_hash", pa.uint64()),
        ("shows", pa.bool_()),
        ("reply", pa.string()),
    ]
)
_FOLDER, _CARD = "marks", "card.json"
_AGAIN = "delete its folder and run orz-analysis detect again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One response."""

    problem_id: str
    sample_index: int
    text_hash: int
    shows: bool | None
    """None where a judge's reply says neither yes nor no."""
    reply: str | None = None
    """The judge's."""

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index)."""
        return self.problem_id, self.sample_index


@dataclass(frozen=True, slots=True)
class MarksDir:
    """The marks of one behaviour on the rollouts of one folder."""

    path: Path

    @classmethod
    def beside(cls, rollouts: RolloutsDir, name: str, *, card: Mapping[str, Any]) -> MarksDir:
        """The folder for this behaviour and this card."""
        text = json.dumps(dict(card), sort_keys=True, ensure_ascii=False)
        return cls(rollouts.path / _FOLDER / name / hashlib.sha256(text.encode()).hexdigest()[:12])

    def open(self, card: Mapping[str, Any]) -> None:
        """Create it, or join it."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / _CARD).exists():
            write_text(self.path / _CARD, to_json(dict(card)))

    def card(self) -> dict[str, Any]:
        """What was asked, and by what. RunDirError for a file that is damaged."""
        return read_json(self.path / _CARD)

    def append(self, marks: Sequence[Mark]) -> None:
        """Commit these as one part."""
        columns = {each.name: pa.array([getattr(mark, each.name) for mark in marks], each.type) for each in _SCHEMA}
        write_parquet(self.path, pa.table(columns, schema=_SCHEMA), floats=())

    def read(self) -> dict[tuple[str, int], Mark]:
        """By key. RunDirError for a part that cannot be read."""
        found: dict[tuple[str, int], Mark] = {}
        for path in part_files(self.path):
            try:
                require_regular(path)
                with pq.ParquetFile(path) as file:
                    rows = file.read(columns=_SCHEMA.names).cast(_SCHEMA).to_pylist()
            except (pa.ArrowException, OSError, KeyError, ValueError) as error:
                raise RunDirError(f"{path}: not a readable part of marks ({error}); {_AGAIN}") from error
            found |= {(row["problem_id"], row["sample_index"]): Mark(**row) for row in rows}
        return found
