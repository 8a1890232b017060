"""JSON lines appended during a run: a line torn by a killed writer never corrupts the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orz_bench.records.parquet import disk_error
from orz_bench.records.regular import read_text, require_regular


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one line, synced. Raises RunDirError if the write fails, and leaves the file unchanged."""
    text = json.dumps(dict(row), ensure_ascii=False)
    # In JSON a lone surrogate, which UTF-8 cannot encode, is written as `\udXXX`.
    line = text.encode("utf-8", "backslashreplace") + b"\n"
    try:
        if path.exists():
            require_regular(path)
        with path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            is_torn = size > 0 and _last_byte(path) != b"\n"
            try:
                file.write(b"\n" + line if is_torn else line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, size)
                raise
    except OSError as error:
        raise disk_error(path, error) from error


def read_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """(the complete rows of a file, the number of other lines, such as one torn by a kill). No file: no rows."""
    text = read_text(path, errors="replace") if path.exists() else ""
    lines = [line for line in text.split("\n") if line.strip()]
    rows = [row for line in lines if (row := _row(line)) is not None]
    return rows, len(lines) - len(rows)


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
