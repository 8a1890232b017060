"""LiveCodeBench's rules for correct output, written from its description and checked against its runner.

Standard output: both texts are stripped and split into lines, which are stripped too; there must be as many lines, and
each must be equal, or equal number by number as decimals. A function's value: equal, an outer tuple being a list.

Counts are compared before anything is split: an output of many megabytes costs its own size, not fifty times that.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from typing import Any

from orz_bench.errors import counted
from orz_bench.sandbox.values import encode

_SHOWN = 80


def why_output_differs(printed: str, expected: str) -> str | None:
    """The first difference between two standard outputs; None if they are equal by these rules."""
    printed, expected = printed.strip(), expected.strip()
    num, num_wanted = printed.count("\n") + 1, expected.count("\n") + 1
    if num != num_wanted:
        return f"{counted(num, 'line')}, wanted {num_wanted}"
    lines = zip(printed.split("\n"), expected.split("\n"), strict=True)
    for number, (line, right) in enumerate(lines, start=1):
        if not _is_same_line(line.strip(), right.strip()):
            return f"line {number} is {_short(line.strip())}, wanted {_short(right.strip())}"
    return None


def why_value_differs(value: str, expected: str) -> str | None:
    """The difference between a function's encoded value and the expected JSON; None if they are equal."""
    wanted = encode(json.loads(expected))
    if value.count(",") != wanted.count(","):
        return f"the value is {_short(value)}, wanted {_short(expected)}"
    try:
        found = json.loads(value, object_hook=_without_order)
    except (ValueError, RecursionError):
        return f"the value is {_short(value)}, which is not a value of a function"
    if found == json.loads(wanted, object_hook=_without_order):
        return None
    return f"the value is {_short(value)}, wanted {_short(expected)}"


def _without_order(marked: dict[str, Any]) -> dict[str, Any]:
    """Turns a list of pairs, which `encode` writes for a dictionary, back into one; anything else is left marked."""
    pairs: Any = marked.get("dict")
    if len(marked) != 1 or not isinstance(pairs, list):
        return marked
    is_dictionary = all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], Hashable) for pair in pairs)
    return {"dict": dict(pairs)} if is_dictionary else marked


def _is_same_line(line: str, right: str) -> bool:
    return line == right or _same_numbers(line, right)


def _same_numbers(line: str, right: str) -> bool:
    wanted = right.split()
    found = line.split(maxsplit=len(wanted))
    if len(found) != len(wanted):
        return False
    try:
        return all(Decimal(token) == Decimal(other) for token, other in zip(found, wanted, strict=True))
    except (InvalidOperation, ValueError):  # not numbers, or a signalling NaN, which cannot be compared
        return False


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
