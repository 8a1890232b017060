"""What of an address may be written or shown: neither the user in front of the host nor the values of a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/?#]*@)?(?P<place>[^\s?#]*)(?P<query>\?[^\s#]*)?"
)
_VALUE = re.compile(r"=[^&;]*")
_UNNAMED = re.compile(r"[?&;][^=&;]+(?=&|;|$)")
HIDDEN = "***"


def redact(text: str) -> str:
    """The text, with *** for the user and the query's values in every address."""
    return _ADDRESS.sub(_hidden, text) if "://" in text else text


def redacted(value: Any) -> Any:
    """The same for every text in lists, tuples and mappings."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(redacted, value))
    return value


def _hidden(match: re.Match[str]) -> str:
    user = f"{HIDDEN}@" if match["user"] else ""
    query = _VALUE.sub(f"={HIDDEN}", _UNNAMED.sub(lambda one: one[0][0] + HIDDEN, match["query"] or ""))
    return f"{match['scheme']}{user}{match['place']}{query}"
