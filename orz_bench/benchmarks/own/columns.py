"""Find the columns of a table: named by the user, or the only one with a name that datasets use. Never a guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import DataError, nearest

Row = Mapping[str, Any]

QUESTION = ("problem", "question", "prompt", "query", "instruction", "problem_statement", "question_content")
ANSWER = (
    "answer", "final_answer", "gold", "gold_answer", "ground_truth", "reward_model.ground_truth", "target", "label",
    "expected_answer", "correct_answer", "reference_answer", "answer_key", "answerkey",
)  # fmt: skip
OPTIONS = ("choices", "options")
TESTS = ("tests", "test_cases", "input_output", "public_tests")
IDS = ("id", "problem_id", "unique_id", "question_id", "record_id", "task_id", "uid")
_LETTER_COLUMN = re.compile(r"(?:(?:option|choice)[ _]?)?([A-Z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, each with its place, and the names of all columns."""

    name: str
    """For messages: its path or address."""
    rows: Sequence[tuple[str, Row]]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, name: str, rows: Iterable[tuple[str, Row]]) -> Table:
        """DataError for a table without rows."""
        kept = list(rows)
        if not kept:
            raise DataError(f"{name}: has no rows; wanted one question a row.")
        columns = dict.fromkeys(str(column) for _, row in kept for column in row)
        return cls(name, kept, tuple(columns))

    @property
    def shown(self) -> str:
        """Its columns, for messages."""
        return ", ".join(self.columns) or "none"

    def fault(self, where: str, what: object) -> DataError:
        """An error about one row."""
        return DataError(f"{self.name}, {where}: {what}. Fix or remove this row.")

    def named(self, column: str, *, option: str) -> str:
        """The column that the user names. DataError if there is none."""
        if column in self.columns or any(at(row, column) is not None for _, row in self.rows):
            return column
        raise DataError(
            f"{self.name}: has no column {column!r} ({option}={column}){nearest(column, self.columns)}; its columns "
            f"are {self.shown}."
        )

    def find(self, names: Sequence[str], *, option: str) -> str | None:
        """The only column of one of these names, in any case; None if there is none. DataError if several fit."""
        fitting = [column for column in self.columns if normal(column) in names]
        for name in names:
            if "." in name and name not in fitting and any(at(row, name) is not None for _, row in self.rows):
                fitting.append(name)
        if len(fitting) > 1:
            raise DataError(
                f"{self.name}: the columns {' and '.join(fitting)} could each be the {option}; name one behind the "
                f"table: {self.example(option, fitting[0])}."
            )
        return fitting[0] if fitting else None

    def require(self, named: str | None, names: Sequence[str], *, option: str) -> str:
        """The named column, or the one that is found. DataError, with the remedy, if there is none."""
        column = self.named(named, option=option) if named else self.find(names, option=option)
        if column is None:
            raise DataError(
                f"{self.name}: no column is the {option} (looked for {', '.join(names)}); its columns are "
                f"{self.shown}. Name one behind the table: {self.example(option, 'COLUMN')}."
            )
        return column

    def example(self, option: str, value: str) -> str:
        """How an option is written, for messages."""
        return f"{self.name.rpartition('/')[2]}:{option}={value}"

    def letter_columns(self) -> dict[str, str]:
        """Letter -> column, where options have columns of their own: A, B, C or option_a, option_b, ..."""
        found: dict[str, str] = {}
        for column in self.columns:
            match = _LETTER_COLUMN.fullmatch(column.strip())
            if match is not None:
                letter = match[1].upper()
                if letter in found:
                    raise DataError(
                        f"{self.name}: the columns {found[letter]} and {column} could each be option {letter}; rename "
                        f"one, or name a column with the list of options: {self.example('options', 'COLUMN')}."
                    )
                found[letter] = column
        letters = sorted(found)
        return {letter: found[letter] for letter in letters} if letters[:2] == ["A", "B"] else {}


def normal(column: str) -> str:
    """`Record ID` as `record_id`."""
    return re.sub(r"[\s-]+", "_", column.strip()).lower()


def at(row: Row, column: str) -> Any:
    """The value of a column; a dot leads into objects, unless the column itself has one in its name."""
    if column in row or "." not in column:
        return row.get(column)
    head, _, rest = column.partition(".")
    inner = row.get(head)
    return at(inner, rest) if isinstance(inner, Mapping) else None


def question_text(value: Any) -> str:
    """The question in a value: a text, or messages of which one is the user's. DataError with what was found."""
    if isinstance(value, list):
        return _from_messages(value)
    return scalar(value)


def scalar(value: Any) -> str:
    """A text or a number as text; also the only item of a list, and what an object holds under `value`."""
    if isinstance(value, Mapping) and set(value) == {"value"}:
        value = value["value"]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        shown = "nothing" if value is None or value == "" else repr(value)[:80]
        raise DataError(f"found {shown}, wanted a text or a number")
    return str(value).strip()


def read_each(table: Table, column: str, *, read: Callable[[Any], str]) -> list[str]:
    """What `read` finds in a column, row by row. DataError with the place."""
    found = []
    for where, row in table.rows:
        try:
            found.append(read(at(row, column)))
        except DataError as error:
            raise table.fault(where, f"column {column}: {error}") from error
    return found


def _from_messages(messages: list[Any]) -> str:
    if not all(isinstance(message, Mapping) for message in messages):
        raise DataError(f"found a list of {type(messages[0]).__name__ if messages else 'nothing'}, wanted a text")
    by_role = [(str(m.get("role", m.get("from", ""))), m.get("content", m.get("value"))) for m in messages]
    asked = [content for role, content in by_role if role in ("user", "human")]
    others = [role for role, _ in by_role if role not in ("user", "human")]
    if len(asked) != 1 or others:
        raise DataError(
            f"found messages of {', '.join(role or 'no role' for role, _ in by_role) or 'nobody'}, wanted one message "
            f"of the user, so that nothing of it is lost"
        )
    return scalar(asked[0])
