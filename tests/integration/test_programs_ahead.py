"""Tests of a program begin while earlier ones are looked at: what comes of each is what came of it alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orz_bench.sandbox.limits import Limits, Program
from orz_bench.sandbox.pool import Sandbox
from tests.support.programs import python_for_everyone


@pytest.fixture(params=[True, False], ids=["namespaces", "no namespaces"])
def session_of(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    sandbox = Sandbox() if request.param else Sandbox(namespaces=False, python=python_for_everyone())
    yield sandbox
    sandbox.close()


OUTPUTS = {
    "short": "print(input() * 2)",
    "larger than a pipe": "print(input() * 100_000)",
    "nothing": "input()",
    "no line end": "print(input(), end='')",
    "standard error": "import sys\nprint(input(), file=sys.stderr)\nprint(1)",
    "fails at the fourth": "x = input()\nprint(x)\nif x == '3': raise ValueError(x)",
    "fails at the first": "raise ValueError(input())",
    "too much at the fourth": "x = input()\nprint(x * 10**6 if x == '3' else x)",
    "too long at the third": "x = input()\nwhile x == '2': pass\nprint(x)",
    "a process a test": "import os\nprint(input(), os.getpid() > 0)",
    "a process from the third test on": "import math\nx = input()\nif x == '2': math.seen = 1\nprint(x)",
    "reads on": "import sys\nprint(sys.stdin.read().split('\\n'))",
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_tests_that_begin_ahead_end_as_they_do_one_by_one(name: str, session_of: Sandbox) -> None:
    inputs = [str(number) for number in range(6)]
    program, limits = Program(source=OUTPUTS[name]), Limits(cpu_s=0.5)

    def outcomes(ahead: list[str]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        with session_of.session(program, limits=limits, inputs=ahead) as session:
            for text in inputs:
                outcome = session.run(text, output_bytes=2**19)
                found.append((outcome.ended, outcome.output, outcome.detail * (outcome.ended != "normally")))
                if outcome.ended != "normally":
                    break
        return found

    assert outcomes(inputs) == outcomes([])
    with session_of.session(Program(source="print('next')"), limits=limits) as session:
        assert session.run("").output == "next\n"


FIND_MARKS = """
import ctypes, os, re
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
reader, writer = os.pipe()
own = b"".join([b'{"ma', b'rk": "', b"0" * 32])
found = set()
first, top = id(object()) // 4096 * 4096, libc.sbrk(0) // 4096 * 4096
for start in (first - 2**23, first, top - 2**23):
    for page in range(start, start + 2**23, 4096):
        if libc.write(writer, page, 4096) == 4096:
            found |= set(re.findall(rb'."mark": "(\\w{32})', os.read(reader, 4096)))
print(found == {b"0" * 32}, found)
"""


def test_a_program_does_not_hold_the_mark_that_separates_tests(session_of: Sandbox) -> None:
    """It could end a test before it comes to its end. It finds one like it, which it made."""
    with session_of.session(Program(source=FIND_MARKS), limits=Limits(), inputs=["", "", ""]) as session:
        outcomes = [session.run("") for _ in range(3)]
    assert [outcome.output.split()[0] for outcome in outcomes] == ["True"] * 3, outcomes
