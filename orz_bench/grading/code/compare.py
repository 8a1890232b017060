"""LiveCodeBench's rules for what counts as the right output. Written from its description; checked against its runner.

Standard output: both texts are stripped and cut into lines, of which each is stripped; there must be as many, and each
must be equal, or equal number by number as decimals. A function's value: equal, a tuple at the top counting as a list.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

from orz_bench.sandbox.values import encode

_SHOWN = 80


def why_output_differs(printed: str, expected: str) -> str | None:
    """What differs between two standard outputs; None where nothing that counts does."""
    lines, wanted = _lines(printed), _lines(expected)
    if len(lines) != len(wanted):
        return f"{len(lines)} lines, wanted {len(wanted)}"
    for number, (line, right) in enumerate(zip(lines, wanted, strict=True), start=1):
        if line != right and not _same_numbers(line, right):
            return f"line {number} is {_short(line)}, wanted {_short(right)}"
    return None


def why_value_differs(value: str, expected: str) -> str | None:
    """What differs between a function's encoded value and the expected JSON; None where they are equal."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return f"the value is {_short(value)}, which is no value of a function"
    right = json.loads(encode(json.loads(expected)))
    if found == right:
        return None
    return f"the value is {_short(json.dumps(found))}, wanted {_short(expected)}"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_numbers(line: str, right: str) -> bool:
    try:
        return [Decimal(token) for token in line.split()] == [Decimal(token) for token in right.split()]
    except (InvalidOperation, ValueError):  # not numbers, or a signalling NaN, which no comparison takes
        return False


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
