"""The process that calls a reward function: it imports the function's module and answers one call at a time.

A call that uses up its CPU time ends the process by SIGPROF, whatever it is doing. Started by reward_process.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from numbers import Real
from pathlib import Path
from typing import Any

from orz_bench.signals import leave_signals_to_parent

_MOST_SHOWN = 300


def main() -> None:
    """Serve until the parent closes the connection."""
    settings: dict[str, Any] = json.loads(sys.argv[-1])
    sys.path[:] = settings["path"]
    leave_signals_to_parent()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    connection = Connection(socket.socket(fileno=settings["descriptor"]).detach())
    try:
        function = _load(settings["reference"])
    except BaseException as error:  # an import runs whatever that module does
        connection.send({"fault": _described(error)})
        return
    connection.send({"sha256": digest_of(function, settings["reference"])})
    while os.getppid() == settings["parent_pid"]:
        try:
            arguments = connection.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, settings["cpu_s"])
        answer = _answer(function, arguments)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send(answer)


def digest_of(function: Callable[..., Any], reference: str) -> str:
    """SHA-256 of the source files of the function's package that are loaded: of one file, if its module is alone."""
    modules = {reference.partition(":")[0], getattr(inspect.unwrap(function), "__module__", None) or ""}
    tops = {name.partition(".")[0] for name in modules if name}
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name.partition(".")[0] in tops and path is not None and Path(path).is_file():
            digest.update(f"{name} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _load(reference: str) -> Callable[..., Any]:
    module, _, attribute = reference.partition(":")
    found: Any = import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{reference} is a {type(found).__name__}, wanted a function of (problem, completion, grade)")
    try:
        inspect.signature(found).bind("problem", "completion", "grade")
    except TypeError as error:
        raise TypeError(
            f"{reference}{inspect.signature(found)} cannot be called with (problem, completion, grade): {error}"
        ) from error
    except ValueError:
        pass  # written in C, without a signature: the trial call decides
    function: Callable[..., Any] = found
    return function


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    try:
        value = function(*arguments)
        if not isinstance(value, Real):
            return {"fault": f"it returned {_shown(value)}, wanted a number"}
        number = float(value)
    except BaseException as error:  # SystemExit too: becomes the message about this rollout
        return {"fault": f"it raised {_described(error)}"}
    if not math.isfinite(number):
        return {"fault": f"it returned {number}, wanted a finite number"}
    return {"value": number}


def _shown(value: Any) -> str:
    return "None" if value is None else f"{' '.join(repr(value).split())[:80]} (a {type(value).__name__})"


def _described(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_MOST_SHOWN]}" if text else type(error).__name__
