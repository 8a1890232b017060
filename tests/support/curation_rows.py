"""Rows of curation made up for tests, and what stages decide about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orz_rl.curation.rows import Outcome, Row
from orz_rl.curation.stages.stage import Stage


def a_row(question: str = "What is 1 + 1?", answer: str = "2", *, number: int = 0, **changes: Any) -> Row:
    """A row of the source `s`."""
    facts: dict[str, Any] = {"id": f"r{number}", "source": "s", "place": f"line {number + 1}"}
    return Row(number=number, question=question, answer=answer, **facts | changes)


def rows_of(texts: Iterable[tuple[str, str]]) -> list[Row]:
    """Rows of questions with answers."""
    return [a_row(question, answer, number=number) for number, (question, answer) in enumerate(texts)]


def decided(stage: Stage, rows: Sequence[Row], folder: Path, *, rows_per_part: int = 1000) -> Outcome:
    """What the stage makes of all rows, part by part."""
    parts = [list(rows[at : at + rows_per_part]) for at in range(0, len(rows), rows_per_part)]
    outcome = Outcome([])
    with stage.open(parts, scratch=folder / "scratch") as decide:
        for part in parts:
            found = decide(part)
            assert [each.row.id for each in found.fates] == [row.id for row in part]
            outcome.fates.extend(found.fates)
            outcome.pairs.extend(found.pairs)
    return outcome


def reasons(stage: Stage, rows: Sequence[Row], folder: Path) -> list[str]:
    """The reason for each row; empty where it is kept."""
    return [fate.reason for fate in decided(stage, rows, folder).fates]


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
