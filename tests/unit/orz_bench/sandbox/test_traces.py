"""When a process may be used again: what a program's text may name, and what may not have changed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orz_bench.sandbox.traces import names_nothing_suspicious, stores_attributes
from tests.support.command_line import PROJECT


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


IN_A_PROCESS_OF_ITS_OWN = """
import keyword, string, sys
from orz_bench.sandbox.traces import Untouched

before = Untouched()
before.begin(with_attributes=True)
assert before.is_still_so(), "nothing has changed"
LEAVE
sys.exit(7 if before.is_still_so() else 0)
"""


@pytest.mark.parametrize(
    "leave",
    [
        "string.seen = 1",
        "string.Template.seen = 1",
        "string.capwords.seen = 1",
        "string.digits = '0'",
        "keyword.kwlist.append('seen')",
        "sys.path.append('seen')",
        "sys.modules['seen'] = sys",
    ],
)
def test_a_change_is_seen(leave: str) -> None:
    code = IN_A_PROCESS_OF_ITS_OWN.replace("LEAVE", leave)
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
