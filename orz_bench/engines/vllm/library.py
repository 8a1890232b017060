"""Why vLLM's compiled part is not there: it imports without it, and fails at the first call."""

from __future__ import annotations

import importlib
import re

_NOT_FOUND = re.compile(r"(lib\S+\.so\S*): cannot open shared object file")
_PACKAGES = {"libnuma.so.1": "libnuma1"}
"""Where Debian and Ubuntu have it; minimal images come without it."""


def missing_library() -> str | None:
    """The shared library that the loader does not find, with what to install; None if that is not the reason."""
    try:
        importlib.import_module("vllm._C")
    except ImportError as error:
        found = _NOT_FOUND.search(str(error))
        if found is not None:
            package = _PACKAGES.get(found[1])
            return found[1] + (f" (Debian and Ubuntu: apt-get install {package})" if package else "")
    return None
