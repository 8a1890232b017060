"""When a process may be used again: what a program's text may name, and what may not have changed."""

from __future__ import annotations

import keyword
import string
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orz_bench.sandbox.traces import Untouched, names_nothing_suspicious, stores_attributes

KEYWORDS: Any = keyword.kwlist
"""A list of a module."""


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.setrecursionlimit(10**6)\ninput = sys.stdin.readline\nprint(sys.maxsize, math.inf)",
        "class Node:\n    def __init__(self, key): self.key = key\n    def __lt__(self, other): return True",
        "from functools import lru_cache\n@lru_cache(None)\ndef f(n): return n\nif __name__ == '__main__': print(f(1))",
        "class Modular:\n    def __call__(self, position): return position.compiler",
    ],
)
def test_plain(source: str) -> None:
    assert names_nothing_suspicious(source)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from signal import *",
        "import string as s\ns.__dict__['x'] = 1",
        "random._os.getpid()",
        "setattr(math, 'seen', 1)",
        "open(4, 'wb').write(b'.')",
        "print('{0.gi_frame.f_back}'.format(g))",
        "\uff4f\uff53.getpid()",
        "().__class__.__base__.__subclasses__()",
        "from operator import attrgetter",
    ],
)
def test_suspicious(source: str) -> None:
    assert not names_nothing_suspicious(source)


@pytest.mark.parametrize(
    ("source", "stores"),
    [
        ("x = 1\nx += 1", False),
        ("import math\nmath.seen = 1", True),
        ("def f():\n    class A:\n        def g(self): del self.x", True),
        ("for math.x in range(3): pass", True),
        ("x = {}\nx['math'] = 1\nprint(x.y)", False),
    ],
)
def test_attributes_that_are_set_are_seen(source: str, stores: bool) -> None:
    assert stores_attributes(compile(source, "x", "exec")) == stores


@pytest.mark.parametrize(
    ("leave", "take_back"),
    [
        (lambda: setattr(string, "seen", 1), lambda: delattr(string, "seen")),
        (lambda: setattr(string.Template, "seen", 1), lambda: delattr(string.Template, "seen")),
        (lambda: setattr(string.capwords, "seen", 1), lambda: delattr(string.capwords, "seen")),
        (lambda: setattr(string, "digits", "0"), lambda: setattr(string, "digits", "0123456789")),
        (lambda: KEYWORDS.append("seen"), KEYWORDS.pop),
        (lambda: sys.path.append("seen"), sys.path.pop),
        (lambda: sys.modules.update(seen=sys), lambda: sys.modules.pop("seen")),
    ],
)
def test_a_change_is_seen(leave: Callable[[], object], take_back: Callable[[], object]) -> None:
    digits = string.digits
    before = Untouched()
    before.begin(with_attributes=True)
    assert before.is_still_so()
    try:
        leave()
        assert not before.is_still_so()
    finally:
        take_back()
        setattr(string, "digits", digits)  # noqa: B010  # as the program would
