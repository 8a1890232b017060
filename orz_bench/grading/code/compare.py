"""LiveCodeBench's rules for what counts as the right output. Written from its description; checked against its runner.

Standard output: both texts are stripped and cut into lines, of which each is stripped; there must be as many, and each
must be equal, or equal number by number as decimals. A function's value: equal, a tuple at the top counting as a list.

Counts are compared before anything is taken apart: an output of many megabytes costs its own size, not fifty times it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from typing import Any

from orz_bench.sandbox.values import encode

_SHOWN = 80


def why_output_differs(printed: str, expected: str) -> str | None:
    """What differs between two standard outputs; None where nothing that counts does."""
    printed, expected = printed.strip(), expected.strip()
    num, num_wanted = printed.count("\n") + 1, expected.count("\n") + 1
    if num != num_wanted:
        return f"{num} lines, wanted {num_wanted}"
    lines = zip(printed.split("\n"), expected.split("\n"), strict=True)
    for number, (line, right) in enumerate(lines, start=1):
        if not _is_same_line(line.strip(), right.strip()):
            return f"line {number} is {_short(line.strip())}, wanted {_short(right.strip())}"
    return None


def why_value_differs(value: str, expected: str) -> str | None:
    """What differs between a function's encoded value and the expected JSON; None where they are equal."""
    wanted = encode(json.loads(expected))
    if value.count(",") != wanted.count(","):
        return f"the value is {_short(value)}, wanted {_short(expected)}"
    try:
        found = json.loads(value, object_hook=_without_order)
    except (ValueError, RecursionError):
        return f"the value is {_short(value)}, which is no value of a function"
    if found == json.loads(wanted, object_hook=_without_order):
        return None
    return f"the value is {_short(value)}, wanted {_short(expected)}"


def _without_order(marked: dict[str, Any]) -> dict[str, Any]:
    """A dictionary, which `encode` writes as a list of pairs, as a dictionary again; anything else stays marked."""
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
    except (InvalidOperation, ValueError):  # not numbers, or a signalling NaN, which no comparison takes
        return False


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
