"""What a benchmark says about its questions, such as subject and level: the table `question_facts` of an index.

Read from the column `extra` of two rollouts per question, when a page first needs it. A field that differs between
rollouts is of the answers; one that divides the questions into too many groups is no kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from app.queries.index import RunIndex

MOST_VALUES = 60
"""A field with more values is not offered."""
MOST_CHARS = 80
OF_ANSWERS = ("our_", "imported_", "second_before_ours")
"""Beginnings of the fields of `extra` that are about an answer."""
Question = tuple[str, str]
"""Benchmark and problem id."""


def question_facts(index: RunIndex) -> dict[Question, dict[str, str]]:
    """The facts of every question that has any; cached until the run has other rollouts."""
    with index.lock:
        if index.facts is None or index.facts[0] != index.generation:
            found = _read(index)
            _fill(index, found)
            index.facts = (index.generation, found)
        return index.facts[1]


def are_known(index: RunIndex) -> bool:
    """Whether the facts need not be read any more."""
    return index.facts is not None and index.facts[0] == index.generation


def fact_values(index: RunIndex, *, benchmark: str = "") -> dict[str, list[str]]:
    """The values of each field that divides the questions (of a benchmark) into groups of two or more on average."""
    by_field: dict[str, list[str]] = {}
    for (name, _), facts in question_facts(index).items():
        if benchmark in ("", name):
            for field, value in facts.items():
                by_field.setdefault(field, []).append(value)
    return {
        field: sorted(set(values), key=_natural)
        for field, values in sorted(by_field.items())
        if 1 < len(set(values)) <= min(MOST_VALUES, len(values) / 2)
    }


def _natural(text: str) -> tuple[int, str]:
    return (int(text), text) if text.isascii() and text.isdecimal() else (1 << 62, text)


def _read(index: RunIndex) -> dict[Question, dict[str, str]]:
    cursor = index.cursor()
    found: dict[Question, list[Mapping[str, str]]] = {}
    ends = cursor.execute(
        "WITH ends AS (SELECT min(id) AS first, max(id) AS last FROM rollouts GROUP BY benchmark, problem_id) "
        'SELECT benchmark, problem_id, path, "row" FROM rollouts JOIN parts USING (part) '
        "WHERE id IN (SELECT first FROM ends UNION SELECT last FROM ends)"
    ).fetchall()
    if not ends:
        return {}
    kinds = {"benchmark": pa.string(), "problem_id": pa.string(), "path": pa.string(), "part_row": pa.int64()}
    columns = {name: pa.array([one[at] for one in ends], kind) for at, (name, kind) in enumerate(kinds.items())}
    cursor.register("ends", pa.table(columns))
    try:
        rows = cursor.execute(
            "SELECT benchmark, problem_id, extra FROM ends JOIN (SELECT filename, file_row_number, extra FROM "
            "read_parquet(?, filename = true, file_row_number = true, hive_partitioning = false)) p "
            "ON p.filename = ends.path AND p.file_row_number = ends.part_row",
            [sorted({path for _, _, path, _ in ends})],
        ).fetchall()
    except (
        duckdb.IOException,
        duckdb.InvalidInputException,
    ):  # a part was just replaced or damaged: the page says so itself
        return {}
    for benchmark, problem, extra in rows:
        found.setdefault((benchmark, problem), []).append(_facts(extra))
    same = {question: dict(set.intersection(*(set(one.items()) for one in both))) for question, both in found.items()}
    return {question: facts for question, facts in same.items() if facts}


def _facts(extra: str | None) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parsed_object(extra).items()
        if isinstance(value, str | int) and not isinstance(value, bool) and not name.startswith(OF_ANSWERS)
        and len(str(value)) <= MOST_CHARS
    }  # fmt: skip


def _fill(index: RunIndex, found: Mapping[Question, Mapping[str, str]]) -> None:
    rows = [(*question, field, value) for question, facts in found.items() for field, value in facts.items()]
    names = ("benchmark", "problem_id", "field", "value")
    columns = {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)}
    cursor = index.cursor()
    cursor.register("incoming_facts", pa.table(columns))
    cursor.execute("CREATE OR REPLACE TABLE question_facts AS SELECT * FROM incoming_facts")


def parsed_object(text: str | None) -> Mapping[str, Any]:
    """The object in a column of JSON; empty for anything else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
