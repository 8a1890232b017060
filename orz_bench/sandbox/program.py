"""The process of a program: confined, given its streams, and run as Python would run it. It never comes back.

It reads the program from a file of its own, so that the process that it was forked from never holds one.

Starting a process costs as much as ten short tests. So a program that can have left nothing behind (traces.py) gets the
next test in the same process, in new streams and with no names of its own left; any other gets a new process.

What LiveCodeBench puts before every program is made once, in the supervisor, and every process gets it by the fork.
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
"""Every name of them is there without an import, and they themselves; `pow` and `open` stay the built-in ones."""
_RECURSION_LIMIT = 50_000
_MAX_DIGITS = 50_000
_STACK_BYTES = 120 * 2**20
RESULT_FD, DONE_FD, NEXT_FD = 3, 4, 5
FIRST_OTHER_FD = 6
"""What the supervisor holds has these numbers or higher, or a program's own would take its place."""
FAILED = 1
SECRET_BYTES = 16
"""A process says that a test is done with what it was told before the program began, which no program can see."""
_SIGNALS_PENDING = 64
_SLOW_TO_IMPORT = "numpy"


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program's process puts on before it runs."""

    filter_code: bytes | None
    rules: int | None
    """A descriptor of Landlock's rules."""
    folder: str
    """The streams lie here."""
    home: str
    """The working directory."""
    identity: int | None
    """The user and group that it becomes; None: it stays who it is."""
    counts_alone: bool
    """Whether it gets a user namespace of its own, in which the kernel counts its threads and nobody else's."""


def preamble() -> dict[str, Any]:
    """The names that every program finds."""
    names: dict[str, Any] = {}
    for name in [*PREAMBLE_MODULES, "builtins", "typing"]:
        exec(f"from {name} import *", names)  # noqa: S102  # our own text
    for name in PREAMBLE_MODULES:
        exec(f"import {name}", names)  # noqa: S102  # our own text
    return names


def add_preamble_to_builtins() -> None:
    """Put them where Python looks for built-in names: nothing has to be copied for a program, and nothing cleared."""
    for name, value in preamble().items():
        builtins.__dict__.setdefault(name, value)


def become(limits: Limits, untouched: Untouched, *, confinement: Confinement, pipes: tuple[int, int]) -> NoReturn:
    """Turn this process, which was just forked, into the program that lies in the folder.

    `pipes` (descriptors from FIRST_OTHER_FD on): it says on one that a test is done, and hears on the other of a next
    one, and first of all the word for it.
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
    except BaseException:  # what a program raises is its own affair: the last line goes to its standard error
        _report()
    finally:
        os._exit(code)


def _run_all(program: Program, untouched: Untouched, *, secret: bytes) -> None:
    """Run it on one test after the other, as long as none leaves anything behind."""
    is_plain = names_nothing_suspicious(program.source)
    compiled = compile(program.source, "main.py", "exec", dont_inherit=True)
    if is_plain and re.search(rf"\b{_SLOW_TO_IMPORT}\b", program.source):
        with contextlib.suppress(ImportError):  # or it would look like something that the program left
            __import__(_SLOW_TO_IMPORT)
    if is_plain:
        untouched.begin(with_attributes=stores_attributes(compiled))
    while True:
        _prepare_interpreter()
        _run_once(program, compiled)
        if not is_plain or not untouched.is_still_so() or not _is_told_to_go_on(secret):
            return
        os.lseek(0, 0, os.SEEK_SET)  # the next input; what a plain program prints goes where it went


def _read_program(folder: str) -> Program:
    descriptor = os.open(f"{folder}/program", os.O_RDONLY)
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    function, _, source = content.decode("utf-8", errors="surrogatepass").partition("\n")
    return Program(source=source, function=function or None)


def _run_once(program: Program, compiled: CodeType) -> None:
    """Run it on what its streams hold."""
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
    except OSError:  # the program closed descriptors that are not its own
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
    linux.prctl(linux.PR_SET_PDEATHSIG, 9)  # after that: becoming somebody else undoes it
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
    """Standard streams as a new interpreter makes them."""
    stdin = io.TextIOWrapper(io.BufferedReader(_raw(0, "r")), encoding="utf-8")
    stdout = io.TextIOWrapper(io.BufferedWriter(_raw(1, "w")), encoding="utf-8")
    stderr = io.TextIOWrapper(
        io.BufferedWriter(_raw(2, "w")), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    for stream, mode in ((stdin, "r"), (stdout, "w"), (stderr, "w")):
        stream.mode = mode  # type: ignore[misc]  # as the interpreter itself sets it
    sys.__dict__.update(stdin=stdin, stdout=stdout, stderr=stderr)
    sys.__dict__.update(__stdin__=stdin, __stdout__=stdout, __stderr__=stderr)
    # The preamble says `from sys import *`.
    builtins.__dict__.update(stdin=stdin, stdout=stdout, stderr=stderr)


def _raw(descriptor: int, mode: str) -> io.FileIO:
    return io.FileIO(descriptor, mode, closefd=False)


def _prepare_interpreter() -> None:
    """What programs set, as it is at their start."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    sys.set_int_max_str_digits(_MAX_DIGITS)
    sys.argv[:] = ["main.py"]
    random.seed(int.from_bytes(os.urandom(16)))
    re.purge()


def _run_script(compiled: CodeType, own: dict[str, Any]) -> None:
    try:
        exec(compiled, own)  # noqa: S102  # this is what the process is for, and why it is confined
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
    """What Python does at its end: wait for threads, call what was registered, flush, and let go of every object."""
    if threading.active_count() > 1:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    own.clear()
    for left in gc.get_objects():  # in cycles: a file among them may be closed before what writes to it
        if issubclass(type(left), (io.TextIOWrapper, io.BufferedWriter)):
            with contextlib.suppress(OSError, ValueError):  # closed, or detached from what it wrote to
                left.flush()
    gc.collect()


def _report() -> None:
    """The traceback's last line is what a grader shows."""
    import traceback

    try:
        text = "".join(traceback.format_exception_only(*sys.exc_info()[:2]))[-2000:]
        os.write(2, text.encode(errors="replace"))
    except BaseException:  # noqa: S110  # a hostile exception may fail to say what it is
        pass
