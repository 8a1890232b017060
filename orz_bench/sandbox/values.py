"""Encode the value of a function as text that preserves equality, and cannot influence the comparison itself.

A list differs from a tuple, `1`, `1.0` and `True` are equal, and an object with its own equality equals nothing.
"""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any) -> str:
    """JSON in which tuples, dictionaries and foreign objects are marked; an outer tuple counts as a list."""
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
