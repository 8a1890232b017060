"""CPU seconds of a process and of what it starts, also of those that outlive their parent."""

from __future__ import annotations

import os
import sys

import pytest

from orz_rl.backends.comparing.process_tree import ProcessTree, run_measured

BURN = "import time\nwhile time.process_time() < {}: pass"
CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN.format(0.5)!r}], check=True)"
ORPHAN = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(2)
        end = time.process_time() + 0.5
        while time.process_time() < end: pass
        os._exit(0)
    time.sleep(1.5)
    os._exit(0)
time.sleep(3)
"""


@pytest.mark.parametrize(("code", "least"), [(BURN.format(0.6), 0.3), (CHILD, 0.2), (ORPHAN, 0.2)])
def test_a_process_and_its_descendants(code: str, least: float) -> None:
    looks: list[float] = []
    code_, cpu_s, wall_s = run_measured([sys.executable, "-c", code], environment=os.environ, on_look=looks.append)
    assert code_ == 0
    assert least < cpu_s < 5
    assert looks == sorted(looks)
    assert wall_s > 0


def test_an_exit_code_is_returned() -> None:
    assert run_measured([sys.executable, "-c", "raise SystemExit(3)"], environment=os.environ, on_look=print)[0] == 3


def test_other_processes_do_not_count() -> None:
    tree = ProcessTree(os.getpid())
    tree.look()
    own = sum(os.times()[:2])
    assert tree.cpu_s <= own + 5  # this process and its children, not what else runs here
    stranger = ProcessTree(2**22 + 1)  # an id above the largest
    stranger.look()
    assert stranger.cpu_s == 0
