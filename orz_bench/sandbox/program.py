"""The process of a program: confined, given its streams, and run as Python would run it. It never comes back.

What LiveCodeBench puts before every program is made once, in the supervisor, and every run gets it by the fork.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import io
import json
import os
import resource
import sys
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from orz_bench.sandbox import landlock, linux, seccomp
from orz_bench.sandbox.limits import Limits, Program
from orz_bench.sandbox.values import encode

PREAMBLE_MODULES = tuple(
    "string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys "
    "json".split()
)
"""Every name of them is there without an import, and they themselves; `pow` and `open` stay the built-in ones."""
_RECURSION_LIMIT = 50_000
_MAX_DIGITS = 50_000
_STACK_BYTES = 120 * 2**20
RESULT_FD = 3
FAILED = 1


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program's process puts on before it runs."""

    filter_code: bytes | None
    rules: int | None
    folder: str
    """The streams lie here."""
    home: str
    """The working directory."""


def preamble() -> dict[str, Any]:
    """The names that every program finds.

    They stand where Python looks for built-in names, so that a program's own names are all that is new after the fork:
    copying several hundred of them would cost every run two milliseconds.
    """
    names: dict[str, Any] = dict(vars(builtins))
    for name in [*PREAMBLE_MODULES, "builtins", "typing"]:
        exec(f"from {name} import *", names)  # noqa: S102  # our own text
    for name in PREAMBLE_MODULES:
        exec(f"import {name}", names)  # noqa: S102  # our own text
    return names


def become(program: Program, limits: Limits, *, names: dict[str, Any], confinement: Confinement) -> NoReturn:
    """Turn this process, which was just forked, into the program."""
    code = FAILED
    try:
        _open_streams(confinement.folder, wants_value=program.function is not None)
        _confine(limits, confinement)
        _new_streams(names)
        own = _prepare_interpreter(names, as_script=program.function is None)
        if program.function is None:
            _run_script(program.source, own)
        else:
            _run_function(program.source, program.function, own=own)
        _finish(own)
        code = 0
    except BaseException:  # what a program raises is its own affair: the traceback goes to its standard error
        _report()
    finally:
        os._exit(code)


def _open_streams(folder: str, *, wants_value: bool) -> None:
    out = "/dev/null" if wants_value else f"{folder}/stdout"
    flags = ((f"{folder}/stdin", os.O_RDONLY), (out, os.O_WRONLY), (f"{folder}/stderr", os.O_WRONLY))
    for target, (path, flag) in enumerate(flags):
        os.dup2(os.open(path, flag), target)
    if wants_value:
        os.dup2(os.open(f"{folder}/stdout", os.O_WRONLY), RESULT_FD)


def _confine(limits: Limits, confinement: Confinement) -> None:
    os.chdir(confinement.home)
    linux.prctl(linux.PR_SET_PDEATHSIG, 9)
    memory, cpu = int(limits.memory_gib * 2**30), int(-(-limits.cpu_s // 1))
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_AS, memory, memory),
    ):
        resource.setrlimit(what, (soft, hard))
    linux.drop_capabilities()
    if confinement.rules is not None:
        landlock.restrict(confinement.rules)
    os.closerange(RESULT_FD + 1, 256)
    if confinement.filter_code is not None:
        seccomp.install(confinement.filter_code, pid=os.getpid())


def _new_streams(names: dict[str, Any]) -> None:
    """Standard streams as a new interpreter makes them."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(_raw(0, "r")), encoding="utf-8")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.BufferedWriter(_raw(1, "w")), encoding="utf-8")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(  # type: ignore[misc]
        io.BufferedWriter(_raw(2, "w")), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    names.update(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)


def _raw(descriptor: int, mode: str) -> io.FileIO:
    return io.FileIO(descriptor, mode, closefd=False)


def _prepare_interpreter(names: dict[str, Any], *, as_script: bool) -> dict[str, Any]:
    """The program's own names, empty so far."""
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    sys.setrecursionlimit(_RECURSION_LIMIT)
    sys.set_int_max_str_digits(_MAX_DIGITS)
    sys.argv = ["main.py"]
    module = ModuleType("__main__" if as_script else "tmp_sol")
    module.__dict__["__builtins__"] = names
    sys.modules[module.__name__] = module
    return module.__dict__


def _run_script(source: str, own: dict[str, Any]) -> None:
    code = compile(source, "main.py", "exec", dont_inherit=True)
    try:
        exec(code, own)  # noqa: S102  # this is what the process is for, and why it is confined
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)  # noqa: T201


def _run_function(source: str, function: str, *, own: dict[str, Any]) -> None:
    with open(0, encoding="utf-8", newline="\n", closefd=False) as file:
        arguments = [json.loads(line) for line in file.read().split("\n")]
    exec(compile(source, "main.py", "exec", dont_inherit=True), own)  # noqa: S102  # as above
    found = getattr(own["Solution"](), function) if "class Solution" in source else own[function]
    content = encode(found(*arguments)).encode()
    while content:
        content = content[os.write(RESULT_FD, content) :]


def _finish(own: dict[str, Any]) -> None:
    """What Python does at its end: wait for threads, call what was registered, flush, and let go of every object."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    own.clear()
    gc.collect()


def _report() -> None:
    """The traceback's last line is what a grader shows."""
    import traceback

    try:
        text = "".join(traceback.format_exception_only(*sys.exc_info()[:2]))[-2000:]
        os.write(2, text.encode(errors="replace"))
    except BaseException:  # noqa: S110  # a hostile exception may fail to say what it is
        pass
