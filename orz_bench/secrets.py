"""Remove secrets from addresses before they are written or shown: user information and the values of queries."""

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
    """The text with *** in place of user information and query values in every address."""
    return _ADDRESS.sub(_hidden, text) if "://" in text else text


def redacted(value: Any) -> Any:
    """Apply redact() to every string in lists, tuples and mappings."""
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
