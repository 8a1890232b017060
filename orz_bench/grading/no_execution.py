"""Keep what an answer says from ever being run as code. Runs in worker processes only.

sympy evaluates text as Python in two ways: sympify(text), which even `Number("12")` uses, and lambdify, which prints
expressions as source. `read_numbers_without_eval` takes text from answers out of the first; `forbid_execution` checks
every piece of generated code, whoever made it, and forbids processes, connections and writing to files.
"""

from __future__ import annotations

import builtins
import dis
import re
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

import math_verify.parser
from sympy import Basic, Float, Integer
from sympy.parsing import sympy_parser

from orz_bench.grading.arithmetic import read_arithmetic
from orz_bench.grading.latex import parse_latex

_NUMBER = re.compile(r"[+-]?(?:\d+(\.\d*)?|(\.\d+))", re.ASCII)
_PLAIN_BUILTINS = frozenset(
    {"abs", "complex", "dict", "float", "int", "list", "max", "min", "pow", "range", "round", "sum"}
)
_PLAIN_MODULES = frozenset({"cmath", "math", "mpmath", "numpy", "scipy", "sympy"})
"""What lambdify tries to import; in workers there is no numpy and no scipy (see host.py)."""
_FORBIDDEN_NAMES = frozenset(dir(builtins)) - _PLAIN_BUILTINS
_FORBIDDEN_EVENTS = ("os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.spawn", "os.system")
_FORBIDDEN_FAMILIES = ("ftplib.", "shutil.", "smtplib.", "socket.", "subprocess.", "urllib.")


def read_numbers_without_eval() -> None:
    """Replace the two functions through which Math-Verify and its LaTeX reader hand digits to Python's eval."""
    math_verify.parser.parse_expr_cached = read_arithmetic
    math_verify.parser.parse_latex_cached = parse_latex
    if sympy_parser.parse_expr is not _parse_expr:
        sympy_parser.parse_expr = _parse_expr


def forbid_execution(report: Callable[[str], None]) -> None:
    """From now on, and for good, this process raises PermissionError instead; `report` hears of it too."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if _is_forbidden(event, args):
            report(event)
            raise PermissionError(f"grading an answer must not lead to: {event}")

    sys.addaudithook(hook)


def _is_forbidden(event: str, args: tuple[Any, ...]) -> bool:
    if event == "exec":
        return isinstance(args[0], CodeType) and not _is_harmless(args[0])
    if event == "open":
        return isinstance(args[1], str) and not set(args[1]).isdisjoint("wax+")
    return event in _FORBIDDEN_EVENTS or event.startswith(_FORBIDDEN_FAMILIES)


def _is_harmless(code: CodeType) -> bool:
    """Whether code is a module's, or generated code (sympy's own) that names nothing but mathematics."""
    is_a_module = not code.co_filename.startswith("<") or code.co_filename.startswith("<frozen")
    names = (*code.co_names, *code.co_varnames, *code.co_freevars)
    nested = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    imported = {step.argval.partition(".")[0] for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return is_a_module or (
        imported <= _PLAIN_MODULES
        and not any("__" in name or name in _FORBIDDEN_NAMES for name in names)
        and all(map(_is_harmless, nested))
    )


_original_parse_expr = sympy_parser.parse_expr


def _parse_expr(text: str, *args: Any, **kwargs: Any) -> Basic:
    if match := _NUMBER.fullmatch(text.strip()):
        is_decimal = match.group(1) is not None or match.group(2) is not None
        return Float(text.strip()) if is_decimal else Integer(text.strip())
    result: Basic = _original_parse_expr(text, *args, **kwargs)  # formulas in sympy's own source
    return result
