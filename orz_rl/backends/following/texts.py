"""Files that may still grow, as a whole: their stamps, their lines, values and conversations as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Stamp = tuple[int, int]
"""Size and time of a file: equal ones mean that it has not changed."""


class NotCompleteError(Exception):
    """A dump is still being written, as far as one can tell."""


def stamp_of(path: Path) -> Stamp | None:
    """Its size and time; None where it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def whole_lines(path: Path, *, is_last: bool) -> list[str]:
    """The lines of a file. NotCompleteError where the last one has no end, unless `is_last`."""
    *lines, rest = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    if rest and not is_last:
        raise NotCompleteError(f"{path}: its last line has no end")
    return [*lines, rest] if rest else lines


def text_of(value: Any) -> str | None:
    """A text as it is, anything else as JSON; None stays None."""
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False, default=str)


def messages_text(value: Any) -> str | None:
    """The text of a conversation: that of the only message, or all of them with their roles."""
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        return text_of(value)
    texts = [(str(one.get("role", "")), _content(one)) for one in value]
    return texts[0][1] if len(texts) == 1 else "\n".join(f"{role}\n{text}" for role, text in texts)


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return text_of(content) or ""
