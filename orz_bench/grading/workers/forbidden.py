"""What a worker process may never do, whatever the answer: run code made from it, start processes, connect, write.

Enforced by an audit hook, which cannot be removed.
"""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

_PLAIN_BUILTINS = frozenset(
    {"abs", "complex", "dict", "float", "int", "list", "max", "min", "pow", "range", "round", "sum"}
)
_PLAIN_MODULES = frozenset({"cmath", "math", "mpmath", "numpy", "scipy", "sympy"})
"""Modules that lambdify tries to import; workers have neither numpy nor scipy (see host.py)."""
_FORBIDDEN_NAMES = frozenset(dir(builtins)) - _PLAIN_BUILTINS
_FORBIDDEN_EVENTS = ("os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.spawn", "os.system")
_FORBIDDEN_FAMILIES = ("ftplib.", "shutil.", "smtplib.", "socket.", "subprocess.", "urllib.")


def forbid_execution(report: Callable[[str], None]) -> None:
    """From now on, this process raises PermissionError instead; `report` is called with the event as well."""

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
    """Whether code belongs to a module, or was generated (by sympy) and names nothing but mathematics."""
    is_a_module = not code.co_filename.startswith("<") or code.co_filename.startswith("<frozen")
    names = (*code.co_names, *code.co_varnames, *code.co_freevars)
    nested = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    imported = {step.argval.partition(".")[0] for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return is_a_module or (
        imported <= _PLAIN_MODULES
        and not any("__" in name or name in _FORBIDDEN_NAMES for name in names)
        and all(map(_is_harmless, nested))
    )
