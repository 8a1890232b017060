"""The tests of rows that ask for a program which reads standard input."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from orz_bench.benchmarks.livecodebench import parse_tests
from orz_bench.benchmarks.own.address import TableOptions
from orz_bench.benchmarks.own.columns import TESTS, Row, Table, at
from orz_bench.errors import DataError
from orz_bench.records.program_tests import PackedTests

_LIVECODEBENCH = ("public_test_cases", "private_test_cases")
_INPUTS, _OUTPUTS = ("input", "inputs"), ("output", "outputs")


def tests_of(table: Table, options: TableOptions) -> list[PackedTests]:
    """The tests of every row. DataError where they are missing or not tests of standard input."""
    if options.tests is None and set(_LIVECODEBENCH) <= set(table.columns):
        return [_read(table, where, row=row, read=parse_tests) for where, row in table.rows]
    column = table.require(options.tests, TESTS, option="tests")
    return [_read(table, where, row=row, read=lambda one: _packed(at(one, column))) for where, row in table.rows]


def _read(table: Table, where: str, *, row: Row, read: Callable[[Row], PackedTests]) -> PackedTests:
    try:
        packed = read(row)
        num = len(packed.unpack().tests)
    except DataError as error:
        raise table.fault(where, error) from error
    if num == 0:
        raise table.fault(where, "it has no tests")
    return packed


def _packed(value: Any) -> PackedTests:
    """From a list of {"input", "output"}, or {"inputs": [...], "outputs": [...]}, also as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise DataError(f"its tests are not JSON ({error})") from error
    if isinstance(value, Mapping):
        value = _paired(value)
    if not isinstance(value, list) or not all(isinstance(test, Mapping) for test in value):
        raise DataError('its tests are no list of {"input": ..., "output": ...}')
    tests = [{"input": _text(test, _INPUTS), "output": _text(test, _OUTPUTS)} for test in value]
    return PackedTests(public=json.dumps(tests), private="[]", function=None)


def _paired(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    if value.get("fn_name"):
        raise DataError(f"its tests call the function {value['fn_name']!r}; only tests of standard input can be run")
    inputs, outputs = (next((value[n] for n in names if n in value), None) for names in (_INPUTS, _OUTPUTS))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise DataError("its tests have no lists of inputs and outputs of the same length")
    return [{"input": one, "output": other} for one, other in zip(inputs, outputs, strict=True)]


def _text(test: Mapping[str, Any], names: tuple[str, ...]) -> str:
    value = next((test[name] for name in names if name in test), None)
    if not isinstance(value, str):
        raise DataError(f"a test has {value!r} under {names[0]!r}, wanted a text")
    return value
