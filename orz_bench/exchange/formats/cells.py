"""The cells of other tools' files as ours: texts, numbers, verdicts, and ids for what has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orz_bench.errors import DataError
from orz_bench.records.rollout import Verdict


def text_of(value: Any) -> str | None:
    """The text of a response or of a question: a string, a list of content parts, or the assistant's turns of messages.

    None for nothing: null, no messages, or messages without an assistant.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return text_of(value.get("content", value.get("text")))
    if isinstance(value, Sequence):
        if value and all(isinstance(part, Mapping) and "role" in part for part in value):
            turns = [text_of(part.get("content")) for part in value if part.get("role") == "assistant"]
            return "\n\n".join(filter(None, turns)) if turns else None
        parts = [part if isinstance(part, str) else _part(part) for part in value]
        return "".join(filter(None, parts)) if value else None
    return json.dumps(value, ensure_ascii=False, default=str)


def conversation_of(value: Any) -> str | None:
    """The text of a prompt: that of its only message, or of all messages with their roles."""
    if not is_messages(value) or not value:
        return text_of(value)
    texts = [(str(one["role"]), text_of(one.get("content")) or "") for one in value]
    return texts[0][1] if len(texts) == 1 else "\n".join(f"{role}\n{text}" for role, text in texts)


def _part(part: Any) -> str | None:
    """The text of a content part. Reasoning is kept apart, an image has none."""
    return part.get("text") if isinstance(part, Mapping) and part.get("type", "text") == "text" else None


def is_messages(value: Any) -> bool:
    """Whether it is a list of messages with roles; an empty list is one."""
    return isinstance(value, list) and all(isinstance(turn, Mapping) and "role" in turn for turn in value)


def asked_in(messages: Any) -> str | None:
    """The last turn of the user."""
    turns = [turn for turn in messages if isinstance(turn, Mapping) and turn.get("role") == "user"]
    return text_of(turns[-1].get("content")) if turns else None


def plain(value: Any) -> str | None:
    """A gold or an extracted answer as text: a single item for a list of one, JSON for anything else with structure."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1:
        return plain(value[0])
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def verdict_of(value: Any) -> Verdict | None:
    """Correct for true and 1, wrong for false and 0; None for anything in between, because it is no verdict."""
    if isinstance(value, bool | int | float) and value in (0, 1):
        return "correct" if value == 1 else "wrong"
    return None


def number_of(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - not NaN


def whole_of(value: Any) -> int | None:
    """A whole number from 0, or None."""
    number = number_of(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def whole_in(value: Any, name: str, *, where: str) -> int | None:
    """The same of a table's cell, which may be text; DataError for what is neither empty nor a whole number from 0."""
    number = number_in(value, where=where)
    if number is None:
        return None
    if number != int(number) or number < 0:
        raise DataError(f"{where}: {name} is {value!r}, wanted a whole number from 0; fix this row.")
    return int(number)


def number_in(value: Any, *, where: str) -> float | None:
    """A number in a table's cell; None for nothing, NaN and infinities. DataError for anything else."""
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {value!r} is not a number; fix this row.") from None
    return number_of(number)


def digest_of(text: str) -> str:
    """An id for what has none."""
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:12]


def rest_of(row: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    """The fields that were not used."""
    names = set(used)
    return {name: value for name, value in row.items() if name not in names and value is not None}


def numbered(rows: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Rows with their numbers, from 1."""
    return enumerate(rows, start=1)
