"""Numbers, steps and objects in the lines of logs."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from typing import Any

from orz_bench.records.tables import parse_json

_MOST_STEPS = 10**15
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMPY = re.compile(r"(?:np|numpy)\.\w+\((.*)\)|tensor\(([^,()]*).*\)")
_WRAPPED = re.compile(r"\b(?:np|numpy)\.\w+\(([^()]*)\)|\btensor\(([^,()]*)[^()]*\)")
_NOT_A_NUMBER = re.compile(r"(?<=[ ,:])-?(?:nan|inf)\b")


def plain(text: str) -> str:
    """A line without colours."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """What of it is a finite number, also as text (`0.1`, `np.float64(0.1)`)."""
    found = {str(name): number(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def number(value: Any) -> float | None:
    """A finite number; None for anything else, true and false among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (wrapped := _NUMPY.fullmatch(value.strip())):
        value = wrapped.group(1) or wrapped.group(2) or ""
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole_step(value: Any) -> int | None:
    """A step; None for anything that is none."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < _MOST_STEPS and found == int(found) else None


def json_row(text: str) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        row = parse_json(text, strict=False)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def python_dict(text: str) -> dict[str, Any] | None:
    """A dictionary as Python prints it; None for anything else. Numbers of numpy and torch are plain ones."""
    unwrapped = _WRAPPED.sub(lambda match: match.group(1) or match.group(2) or "None", text)
    try:
        value = ast.literal_eval(_NOT_A_NUMBER.sub("None", unwrapped))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
