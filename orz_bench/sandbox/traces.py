"""Decide whether a process may also run the next test of its program: only if the previous test left nothing in it.

Two checks. Before the program runs: whether its text names anything that gives access to the interpreter's internals,
the operating system, or threads. After each test: whether modules, their classes, functions and containers changed.

Neither is a proof. A program that deceives both can only see its own earlier tests: each test is judged once, in any
process.
"""

from __future__ import annotations

import _thread
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ctypes import c_ssize_t
from opcode import opmap
from operator import is_
from types import CodeType, FunctionType, ModuleType
from typing import Any

_INSIDE = (
    *("getattr", "setattr", "delattr", "globals", "locals", "vars", "exec", "eval", "compile", "breakpoint", "open"),
    *("modules", "meta_path", "path_hooks", "attrgetter", "methodcaller", "update_wrapper", "FunctionType", "CodeType"),
    *("_getframe", "_current_frames", "tb_frame", "tb_next", "f_back", "f_globals", "f_locals", "f_builtins"),
    *("gi_frame", "cr_frame", "ag_frame", "settrace", "setprofile", "addaudithook", "setswitchinterval", "_cache"),
    *("getcontext", "setcontext", "localcontext", "DefaultContext", "BasicContext", "ExtendedContext"),
    *("FileIO", "fileno", "detach", "closefd", "opener", "open_code", "_os", "_sys", "_io", "_imp", "_signal"),
)
_MODULES = (
    *("os", "posix", "ctypes", "_ctypes", "gc", "signal", "threading", "_thread", "atexit", "weakref", "inspect"),
    *("importlib", "imp", "runpy", "pkgutil", "zipimport", "site", "codecs", "pickle", "copyreg", "marshal", "ast"),
    *("dis", "types", "tokenize", "linecache", "traceback", "warnings", "platform", "pathlib", "posixpath", "stat"),
    *("socket", "select", "selectors", "multiprocessing", "subprocess", "concurrent", "asyncio", "mmap", "resource"),
    *("fcntl", "errno", "faulthandler", "tracemalloc", "pdb", "bdb", "trace", "sched", "contextvars", "locale"),
    *(
        "encodings",
        "urllib",
        "ipaddress",
        "fnmatch",
        "reprlib",
        "tempfile",
        "shutil",
        "glob",
        "logging",
        "unittest",
        "doctest",
    ),
)
_OPERATORS = r"__(?:name|main|init|slots|lt|le|gt|ge|eq|ne|hash|add|sub|mul|getitem|len|str|repr|iter|next|contains)__"
_SUSPICIOUS = frozenset((*_INSIDE, *_MODULES))
_WORD, _SPECIAL = re.compile(r"\w+"), re.compile(rf"(?<!def )(?!{_OPERATORS})__\w+__")
_STORES = (opmap["STORE_ATTR"], opmap["DELETE_ATTR"])
_CHANGES_BY_ITSELF = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_OWN = ("__main__", "tmp_sol")
_CHANGES_WITH_A_FORK = ("threading", "encodings")
"""Modules that a new process changes itself; a plain program does not name them."""
_COUNTED: Mapping[type, int] = {list: 16, dict: 16, set: 24}
"""Where CPython stores their lengths."""
_REMEMBERS = ("cache", "registry")
"""Containers of modules with this in their names are filled automatically."""


def names_nothing_suspicious(source: str) -> bool:
    """Whether the text of a program uses only what computing needs."""
    if not source.isascii():
        import unicodedata

        source = unicodedata.normalize("NFKC", source)  # as the compiler normalises names
    return _SUSPICIOUS.isdisjoint(_WORD.findall(source)) and ("__" not in source or _SPECIAL.search(source) is None)


def stores_attributes(code: CodeType) -> bool:
    """Whether it sets or deletes an attribute of any object."""
    operations = code.co_code[::2]
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return any(operation in operations for operation in _STORES) or any(map(stores_attributes, inner))


class Untouched:
    """The state of a process before the first test.

    Recorded once, in the supervisor: examining every module makes a process copy most of its memory.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._num_modules = 0
        self._containers: list[Any] = []
        self._lengths_now: list[c_ssize_t] = []
        self._attributes: list[Mapping[str, Any]] = []
        self._copies: list[dict[str, Any]] = []
        self._is_with_attributes = False
        self._add_modules()

    def begin(self, *, with_attributes: bool) -> None:
        """Called in the process. `with_attributes`: the program sets attributes, perhaps of modules and classes."""
        self._add_modules()
        self._is_with_attributes = with_attributes
        self._path = list(sys.path)
        self._free = _free_descriptor()
        self._lengths = [length.value for length in self._lengths_now]

    def is_still_so(self) -> bool:
        """Whether nothing visible has changed, and no thread is left."""
        # Not threading.active_count(): threads can be started without it.
        return (
            _thread._count() == 0  # noqa: SLF001
            and _free_descriptor() == self._free
            and sys.path == self._path
            and _num_modules() == self._num_modules
            and [length.value for length in self._lengths_now] == self._lengths
            and (not self._is_with_attributes or all(map(_is_same, self._attributes, self._copies)))
        )

    def _add_modules(self) -> None:
        """Modules that are new since the last call."""
        if len(sys.modules) == self._num_modules:  # reading their names would write to all of them
            return
        new = {name: sys.modules[name] for name in sys.modules.keys() - self._names if name not in _OWN}
        self._names |= new.keys()
        self._num_modules = len(sys.modules)
        modules = [module for name, module in new.items() if name not in _CHANGES_WITH_A_FORK]
        containers = [item for module in modules for item in _containers(module)]
        self._containers += containers  # they must stay alive
        self._lengths_now += map(_length, containers)
        attributes = [item for module in modules for item in _attributes(module)]
        self._attributes += attributes
        self._copies += [dict(item) for item in attributes]


def _num_modules() -> int:
    return len(sys.modules) - sum(name in sys.modules for name in _OWN[1:])


def _free_descriptor() -> int:
    with suppress(OSError):
        descriptor = os.dup(1)
        os.close(descriptor)
        return descriptor
    return -1


def _containers(module: ModuleType) -> Iterator[Any]:
    """Its lists, dictionaries and sets that a plain program can name, except those used here."""
    for name, value in vars(module).items():
        is_counted = type(value) in _COUNTED and value is not sys.modules and not name.startswith("_")
        if is_counted and not any(part in name for part in _REMEMBERS):
            yield value


def _length(container: Any) -> c_ssize_t:
    """A view of its length. Calling len() would write to the container, and make the process copy its page."""
    view = c_ssize_t.from_address(id(container) + _COUNTED[type(container)])
    assert view.value == len(container)
    return view


def _attributes(module: ModuleType) -> Iterator[Mapping[str, Any]]:
    """Its own dictionary, and those of its classes and functions written in Python."""
    yield vars(module)
    for value in [*vars(module).values()]:
        if isinstance(value, (type, FunctionType)) and value.__module__ == module.__name__:
            yield vars(value)


def _is_same(now: Mapping[str, Any], then: dict[str, Any]) -> bool:
    if len(now) != len(then):
        return False
    if all(map(is_, now, then)) and all(map(is_, now.values(), then.values())):
        return True
    return all(now.get(name, then) is value for name, value in then.items() if name not in _CHANGES_BY_ITSELF)
