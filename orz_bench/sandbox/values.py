"""The value of a function as text that keeps what equality needs, and nothing that could decide it by itself.

A list is not a tuple, `1` is `1.0` is `True`, and an object with an equality of its own equals nothing.
"""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any) -> str:
    """JSON in which a tuple, a dictionary and a foreign object are marked; a tuple at the top counts as a list."""
    return json.dumps(_plain(list(value) if type(value) is tuple else value), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in tuple.__iter__(value)]}
    if isinstance(value, dict):
        return {"dict": [[_plain(key), _plain(item)] for key, item in dict.items(value)]}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__pos__(value)
    if isinstance(value, float):
        return float.__pos__(value)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return _plain(value.item())
    return {"object": type(value).__name__}
