"""The process of a program: it is confined, gets its streams, and runs the program as Python would. It never returns.

It reads the program from a file, so that the process from which it was forked never has one in memory.

Starting a process costs as much as ten short tests. So a program that cannot have left anything behind (traces.py) gets
the next test in the same process, with new streams and without its own names; any other gets a new process.

The preamble that LiveCodeBench adds to every program is run once, in the supervisor, and inherited by every process.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import io
import json
import os
import random
import re
import resource
import sys
import threading
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any, NoReturn

from orz_bench.sandbox import landlock, linux, seccomp
from orz_bench.sandbox.limits import Limits, Program
from orz_bench.sandbox.traces import Untouched, names_nothing_suspicious, stores_attributes
from orz_bench.sandbox.values import encode

PREAMBLE_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
"""These modules and all their names are available without an import; `pow` and `open` remain the built-in ones."""
_RECURSION_LIMIT = 50_000
_MAX_DIGITS = 50_000
_STACK_BYTES = 120 * 2**20
RESULT_FD, DONE_FD, NEXT_FD = 3, 4, 5
FIRST_OTHER_FD = 6
"""The supervisor's descriptors have these numbers or higher; lower ones could be replaced by a program's own."""
FAILED = 1
SECRET_BYTES = 16
"""A process reports the end of a test with a word that it got before the program started, unseen by the program."""
_SIGNALS_PENDING = 64
_SLOW_TO_IMPORT = "numpy"


@dataclass(frozen=True, slots=True)
class Confinement:
    """Restrictions that a program's process applies to itself before it runs."""

    filter_code: bytes | None
    rules: int | None
    """Descriptor of Landlock's rules."""
    folder: str
    """Folder of the streams."""
    home: str
    """The working directory."""
    identity: int | None
    """The user and group to switch to; None: no switch."""
    counts_alone: bool
    """Whether it gets its own user namespace, in which the kernel counts only its threads."""


def preamble() -> dict[str, Any]:
    """Names available to every program."""
    names: dict[str, Any] = {}
    for name in [*PREAMBLE_MODULES, "builtins", "typing"]:
        exec(f"from {name} import *", names)  # noqa: S102  # our own text
    for name in PREAMBLE_MODULES:
        exec(f"import {name}", names)  # noqa: S102  # our own text
    return names


def add_preamble_to_builtins() -> None:
    """Add them to the built-in names, so that nothing has to be copied or cleared for a program."""
    for name, value in preamble().items():
        builtins.__dict__.setdefault(name, value)


def become(limits: Limits, untouched: Untouched, *, confinement: Confinement, pipes: tuple[int, int]) -> NoReturn:
    """Turn this newly forked process into the program in the folder.

    `pipes` (descriptors from FIRST_OTHER_FD on): it reports the end of a test on one, and receives the next test on the
    other, preceded by the word for reporting.
    """
    code = FAILED
    try:
        for target, descriptor in zip((DONE_FD, NEXT_FD), pipes, strict=True):
            os.dup2(descriptor, target)
        secret = os.read(NEXT_FD, SECRET_BYTES)
        _confine(limits, confinement)
        program = _read_program(confinement.folder)
        _open_streams(confinement.folder, wants_value=program.function is not None)
        _run_all(program, untouched, secret=secret)
        code = 0
    except BaseException:  # exceptions of the program: the last line goes to its standard error
        _report()
    finally:
        os._exit(code)


def _run_all(program: Program, untouched: Untouched, *, secret: bytes) -> None:
    """Run it on one test after another, as long as none leaves anything behind."""
    is_plain = names_nothing_suspicious(program.source)
    compiled = compile(program.source, "main.py", "exec", dont_inherit=True)
    if is_plain and re.search(rf"\b{_SLOW_TO_IMPORT}\b", program.source):
        with contextlib.suppress(ImportError):  # otherwise it would count as left behind by the program
            __import__(_SLOW_TO_IMPORT)
    if is_plain:
        untouched.begin(with_attributes=stores_attributes(compiled))
    while True:
        _prepare_interpreter()
        _run_once(program, compiled)
        if not is_plain or not untouched.is_still_so() or not _is_told_to_go_on(secret):
            return
        os.lseek(0, 0, os.SEEK_SET)  # the next input; output continues to the same streams


def _read_program(folder: str) -> Program:
    descriptor = os.open(f"{folder}/program", os.O_RDONLY)
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    function, _, source = content.decode("utf-8", errors="surrogatepass").partition("\n")
    return Program(source=source, function=function or None)


def _run_once(program: Program, compiled: CodeType) -> None:
    """Run it on the contents of its streams."""
    _new_streams()
    module = ModuleType("__main__" if program.function is None else "tmp_sol")
    module.__dict__["__builtins__"] = builtins
    sys.modules[module.__name__] = module
    if program.function is None:
        _run_script(compiled, module.__dict__)
    else:
        _run_function(compiled, program, own=module.__dict__)
    _finish(module.__dict__)


def _is_told_to_go_on(secret: bytes) -> bool:
    try:
        os.write(DONE_FD, secret)
        return os.read(NEXT_FD, 1) == b"."
    except OSError:  # the program closed foreign descriptors
        return False


def _open_streams(folder: str, *, wants_value: bool) -> None:
    out = "/dev/null" if wants_value else f"{folder}/stdout"
    wanted = [(f"{folder}/stdin", os.O_RDONLY), (out, os.O_WRONLY), (f"{folder}/stderr", os.O_WRONLY)]
    wanted += [(f"{folder}/stdout", os.O_WRONLY)] if wants_value else []
    for target, (path, flag) in enumerate(wanted):
        descriptor = os.open(path, flag)
        if descriptor != target:
            os.dup2(descriptor, target)
            os.close(descriptor)


def _confine(limits: Limits, confinement: Confinement) -> None:
    if confinement.identity is not None:
        os.setgroups([])
        os.setresgid(*[confinement.identity] * 3)
        os.setresuid(*[confinement.identity] * 3)
    if confinement.counts_alone:
        linux.unshare(linux.CLONE_NEWUSER)
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.threads, limits.threads))
    linux.prctl(linux.PR_SET_PDEATHSIG, 9)  # after the switch of users, which would undo it
    memory, cpu = int(limits.memory_gib * 2**30), int(limits.program_wall_s) + 1
    for what, limit in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (linux.RLIMIT_SIGPENDING, _SIGNALS_PENDING),
        (resource.RLIMIT_AS, memory),
    ):
        resource.setrlimit(what, (limit, limit))
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    linux.drop_capabilities()
    os.chdir(confinement.home)
    if confinement.rules is not None:
        landlock.restrict(confinement.rules)
    os.closerange(NEXT_FD + 1, 256)
    if confinement.filter_code is not None:
        seccomp.install(confinement.filter_code, pid=os.getpid())


def _new_streams() -> None:
    """Standard streams as in a new interpreter."""
    stdin = io.TextIOWrapper(io.BufferedReader(_raw(0, "r")), encoding="utf-8")
    stdout = io.TextIOWrapper(io.BufferedWriter(_raw(1, "w")), encoding="utf-8")
    stderr = io.TextIOWrapper(
        io.BufferedWriter(_raw(2, "w")), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    for stream, mode in ((stdin, "r"), (stdout, "w"), (stderr, "w")):
        stream.mode = mode  # type: ignore[misc]  # as the interpreter itself sets it
    sys.__dict__.update(stdin=stdin, stdout=stdout, stderr=stderr)
    sys.__dict__.update(__stdin__=stdin, __stdout__=stdout, __stderr__=stderr)
    # The preamble contains `from sys import *`.
    builtins.__dict__.update(stdin=stdin, stdout=stdout, stderr=stderr)


def _raw(descriptor: int, mode: str) -> io.FileIO:
    return io.FileIO(descriptor, mode, closefd=False)


def _prepare_interpreter() -> None:
    """Settings that programs change, at their initial values."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    sys.set_int_max_str_digits(_MAX_DIGITS)
    sys.argv[:] = ["main.py"]
    random.seed(int.from_bytes(os.urandom(16)))
    re.purge()


def _run_script(compiled: CodeType, own: dict[str, Any]) -> None:
    try:
        exec(compiled, own)  # noqa: S102  # the purpose of this process, and why it is confined
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)  # noqa: T201


def _run_function(compiled: CodeType, program: Program, *, own: dict[str, Any]) -> None:
    text = os.read(0, os.fstat(0).st_size).decode()
    arguments = [json.loads(line) for line in text.split("\n")]
    exec(compiled, own)  # noqa: S102  # as above
    function = str(program.function)
    found = getattr(own["Solution"](), function) if "class Solution" in program.source else own[function]
    content = encode(found(*arguments)).encode()
    while content:
        content = content[os.write(RESULT_FD, content) :]


def _finish(own: dict[str, Any]) -> None:
    """Do what Python does at exit: wait for threads, call registered functions, flush, and release every object."""
    if threading.active_count() > 1:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    own.clear()
    for left in gc.get_objects():  # in cycles: a file may be closed before the object that writes to it
        if issubclass(type(left), (io.TextIOWrapper, io.BufferedWriter)):
            with contextlib.suppress(OSError, ValueError):  # closed, or detached from its buffer
                left.flush()
    gc.collect()


def _report() -> None:
    """Print the traceback's last line, which the grader shows."""
    import traceback

    try:
        text = "".join(traceback.format_exception_only(*sys.exc_info()[:2]))[-2000:]
        os.write(2, text.encode(errors="replace"))
    except BaseException:  # noqa: S110  # a hostile exception may fail to format itself
        pass
