"""Prevent the text of an answer from being run as code. Runs in worker processes only.

sympy evaluates text as Python in two ways: sympify(text), which even `Number("12")` uses, and lambdify, which prints
expressions as source. `read_numbers_without_eval` keeps text of answers out of the first; `forbid_execution` (see
forbidden.py) checks all generated code, whatever its origin.
"""

from __future__ import annotations

import re
from typing import Any

import math_verify.parser
from sympy import Basic, Float, Integer
from sympy.parsing import sympy_parser

from orz_bench.grading.math.arithmetic import read_arithmetic
from orz_bench.grading.math.latex import parse_latex

_NUMBER = re.compile(r"[+-]?(?:\d+(\.\d*)?|(\.\d+))", re.ASCII)


def read_numbers_without_eval() -> None:
    """Replace the two functions through which Math-Verify and its LaTeX reader pass digits to Python's eval."""
    math_verify.parser.parse_expr_cached = read_arithmetic
    math_verify.parser.parse_latex_cached = parse_latex
    if sympy_parser.parse_expr is not _parse_expr:
        sympy_parser.parse_expr = _parse_expr


_original_parse_expr = sympy_parser.parse_expr


def _parse_expr(text: str, *args: Any, **kwargs: Any) -> Basic:
    if match := _NUMBER.fullmatch(text.strip()):
        is_decimal = match.group(1) is not None or match.group(2) is not None
        return Float(text.strip()) if is_decimal else Integer(text.strip())
    result: Basic = _original_parse_expr(text, *args, **kwargs)  # formulas in sympy's own source
    return result
