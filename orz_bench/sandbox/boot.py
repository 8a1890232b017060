"""The first code of a supervisor, passed on Python's command line: it receives this package over the socket.

The command line contains only these lines, and nothing is imported from the grader's folder: no path of the grader is
in a process from which programs are forked. Standard input is the socket; the first message contains the texts of the
modules by name, and the settings.
"""

import json
import socket
import struct
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Given:
    """Imports modules from their texts. It avoids the base classes of importlib.abc, which import fifteen modules."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name not in self.texts:
            return None
        loader: Any = self
        return ModuleSpec(name, loader, is_package=any(other.startswith(f"{name}.") for other in self.texts))

    def create_module(self, spec: ModuleSpec) -> None:
        """The default module."""

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.texts[module.__name__], module.__name__, "exec"), module.__dict__)  # noqa: S102  # our own


def _main() -> None:
    connection = socket.socket(fileno=0)
    (num_bytes,) = struct.unpack("=I", connection.recv(4, socket.MSG_WAITALL))
    message = json.loads(connection.recv(num_bytes, socket.MSG_WAITALL))
    given = _Given(message["texts"])
    sys.meta_path.insert(0, given)
    from orz_bench.sandbox.supervisor import main

    sys.meta_path.remove(given)
    sys.executable, sys.orig_argv = "", ["python", "main.py"]
    sys.__dict__.pop("_base_executable", None)
    given.texts.clear()
    main(connection, message["settings"])


if __name__ == "__main__":
    _main()
