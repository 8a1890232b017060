"""Rollouts that other tools wrote: JSON lines, JSON arrays, CSV, Parquet, and Open-Reasoner-Zero's own dumps.

Rows are read one after the other. A torn last line is left out, as in a run that is being written; any other line that
is no JSON object is a DataError. Column names that are understood stand in analysis.columns.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.columns import CATEGORIES, NUMBERS, ROLLOUT_COLUMNS, RUN_NAMES, TEXTS, source_columns
from analysis.rollouts import BATCH_ROWS
from orz_bench.errors import DataError
from orz_bench.records.rollout import VERDICTS

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
_YES_NO = {"true": "correct", "1": "correct", "1.0": "correct", "false": "wrong", "0": "wrong", "0.0": "wrong"}
_INTEGERS = ("step", "sample_index", "num_tokens")
_DUMPED_STEP = re.compile(r"iter(\d+)_generation_results\.json")
_DUMPED_EVAL = re.compile(r"eval_output_iter(\d+)_(.+?)([01]\.\d+)?\.jsonl")
_FIELD_LIMIT = 1 << 30


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of a file, in order. DataError for a file that is missing, unreadable or of another kind."""
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows, ".json": _json_rows}
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: a {path.suffix or 'file without suffix'}, wanted {', '.join(SUFFIXES)}; convert it.")
    try:
        yield from readers.get(path.suffix, _json_lines)(path)
    except (OSError, csv.Error, UnicodeDecodeError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error}); name a whole {path.suffix} file.") from error


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            row = _json(line)
            if isinstance(row, dict):
                yield row
            elif line.endswith("\n"):
                raise DataError(f"{path}:{number}: no JSON object; wanted one on every line. Mend or delete the line.")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json_rows(path: Path) -> Iterator[Row]:
    content = _json(path.read_text(encoding="utf-8", errors="replace"))
    rows = content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: wanted a JSON array of objects (JSON lines end in .jsonl); rename or convert it.")
    yield from rows


def _csv_rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_LIMIT)
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: value for name, value in row.items() if name is not None and value not in (None, "")}


def _parquet_rows(path: Path) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            yield from batch.to_pylist()


def flat(row: Mapping[str, Any]) -> Row:
    """A row without nesting: what stands in objects (`outputs`, `metrics`) moves up, unless the name is taken."""
    inner = [value for value in row.values() if isinstance(value, dict)]
    outer = {name: value for name, value in row.items() if not isinstance(value, dict)}
    return {name: value for part in inner for name, value in part.items()} | outer


def run_column(present: Row) -> str | None:
    """The column that tells several runs of one file apart, or None."""
    return next((name for name in RUN_NAMES if name in present), None)


def holds_rollouts(row: Row) -> bool:
    """Whether a row has a response."""
    return "completion" in source_columns(flat(row))


@dataclass(frozen=True, slots=True)
class FileRollouts:
    """Rollouts of files, each with facts that its name carries (such as the step)."""

    paths: tuple[Path, ...]
    facts: Mapping[Path, Row] = field(default_factory=dict)
    only: tuple[str, str] | None = None
    """(column, value): only these rows, where a file holds several runs."""

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
        """See analysis.rollouts.Rollouts."""
        start = 0
        wanted = self._rows()
        while chunk := list(islice(wanted, rows)):
            yield _typed(pd.DataFrame(chunk, index=pd.RangeIndex(start, start + len(chunk))))
            start += len(chunk)

    def numbers(self) -> pd.DataFrame:
        """See analysis.rollouts.Rollouts."""
        frames = [batch[[name for name in NUMBERS if name in batch]] for batch in self.batches()]
        whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(NUMBERS))
        return whole.astype({name: "category" for name in CATEGORIES if name in whole})

    def _rows(self) -> Iterator[Row]:
        for path in self.paths:
            facts = self.facts.get(path, {})
            for row in map(flat, rows_of(path)):
                if self.only is None or str(row.get(self.only[0])) == self.only[1]:
                    yield _canonical(row) | facts


def dumped_rollouts(folder: Path) -> FileRollouts | None:
    """The training rollouts that Open-Reasoner-Zero dumped into a folder, by step; None where it has none."""
    found = {path: match for path in folder.rglob("iter*.json") if (match := _DUMPED_STEP.fullmatch(path.name))}
    facts = {path: {"step": int(match.group(1))} for path, match in found.items()}
    return FileRollouts(tuple(sorted(facts, key=lambda path: facts[path]["step"])), facts) if facts else None


def dumped_evaluations(folder: Path) -> dict[tuple[str, int], FileRollouts]:
    """By (benchmark, step): the answers of evaluations that Open-Reasoner-Zero dumped into a folder."""
    found = {path: match for path in folder.rglob("eval_output_*") if (match := _DUMPED_EVAL.fullmatch(path.name))}
    keys = {path: (match.group(2), int(match.group(1))) for path, match in found.items()}
    return {
        key: FileRollouts((path,), {path: {"benchmark": key[0], "step": key[1]}})
        for path, key in sorted(keys.items(), key=lambda pair: pair[1])
    }


def _canonical(row: Row) -> Row:
    """A foreign row in our columns; what it does not tell is absent."""
    names = source_columns(row)
    ours = {name: row[theirs] for name, theirs in names.items()}
    if "problem_id" not in ours and ours.get("question") is not None:
        ours["problem_id"] = hashlib.sha256(_text(ours["question"]).encode()).hexdigest()[:12]
    if "verdict" in ours:
        ours["verdict"] = _verdict(ours["verdict"])
    for name in (*TEXTS, *CATEGORIES):
        if ours.get(name) is not None:
            ours[name] = _text(ours[name])
    return ours


def _verdict(value: Any) -> str | None:
    text = str(value).strip().lower()
    return text if text in VERDICTS else _YES_NO.get(text)


def _text(value: Any) -> str:
    """Text that UTF-8 can hold."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in (*_INTEGERS, "reward"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    for name in _INTEGERS:
        if name in frame and frame[name].notna().all():
            frame[name] = frame[name].astype("int64")
    return frame[[name for name in ROLLOUT_COLUMNS if name in frame]]
