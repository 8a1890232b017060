"""A worker process can neither run code made from an answer nor reach files, processes or the network."""

from __future__ import annotations

import subprocess
import sys

import pytest

ATTEMPTS = {
    "exec of text": "exec('import os')",
    "eval with a dunder": "eval('().__class__')",
    "lambda that opens": "eval('lambda: open(1)')",
    "a process": "import subprocess; subprocess.run(['true'])",
    "os.system": "import os; os.system('true')",
    "fork": "import os; os.fork()",
    "writing a file": "open('/dev/null', 'w')",
    "a socket": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "removing a file": "import os; os.remove('/nonexistent')",
}


def run(code: str) -> str:
    prelude = "import sympy; from orz_bench.grading.workers.forbidden import forbid_execution\n"
    prelude += "seen = []; forbid_execution(seen.append)\n"
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_attempts_are_refused(attempt: str) -> None:
    assert "PermissionError: grading an answer must not lead to" in run(ATTEMPTS[attempt])


def test_what_sympy_itself_generates_still_runs() -> None:
    code = "from sympy import lambdify, Symbol; x = Symbol('x'); print(lambdify(x, x**2 + 1)(3))"
    assert "10" in run(code)
