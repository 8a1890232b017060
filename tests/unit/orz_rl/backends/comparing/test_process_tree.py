"""CPU seconds of a process and of what it starts, also of those that outlive their parent."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from orz_rl.backends.comparing.process_tree import ProcessTree, run_measured

BURN = """
import time
while time.process_time() < 0.5:
    pass
"""
CHILD = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
"""
ORPHAN = f"""
import os, sys, time
from pathlib import Path

def wait_for(name):
    while not Path(sys.argv[1], name).exists():
        time.sleep(0.02)

if os.fork() == 0:
    if os.fork() == 0:
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(0.02)
        {BURN.strip().replace("import time", "").strip().replace(chr(10), chr(10) + "        ")}
        Path(sys.argv[1], "burnt").touch()
        wait_for("end")
        os._exit(0)
    wait_for("seen")
    os._exit(0)
wait_for("end")
"""
"""The grandchild computes when its parent has ended, which is when it has been looked at."""


@pytest.mark.parametrize(("code", "least"), [(BURN, 0.2), (CHILD, 0.2), (ORPHAN, 0.4)])
def test_a_process_and_its_descendants(code: str, least: float, tmp_path: Path) -> None:
    looks: list[float] = []

    def look(cpu_s: float) -> None:
        looks.append(cpu_s)
        if len(looks) > 4:
            (tmp_path / "seen").touch()
        if (tmp_path / "burnt").exists():
            (tmp_path / ("burnt-before" if not (tmp_path / "burnt-before").exists() else "end")).touch()

    command = [sys.executable, "-c", code, str(tmp_path)]
    exit_code, cpu_s, wall_s = run_measured(command, environment=os.environ, on_look=look)
    assert exit_code == 0
    assert least < cpu_s < 5
    assert looks == sorted(looks)
    assert wall_s > 0


def test_an_exit_code_is_returned() -> None:
    assert run_measured([sys.executable, "-c", "raise SystemExit(3)"], environment=os.environ, on_look=print)[0] == 3


def test_a_command_is_stopped_with_its_caller() -> None:
    def look(_: float) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_measured([sys.executable, "-c", "import time; time.sleep(600)"], environment=os.environ, on_look=look)
    assert time.monotonic() - start < 60  # it has not waited for the command's end


def test_other_processes_do_not_count() -> None:
    tree = ProcessTree(os.getpid())
    tree.look()
    own = sum(os.times()[:2])
    assert tree.cpu_s <= own + 5  # this process and its children, not what else runs here
    stranger = ProcessTree(2**22 + 1)  # an id above the largest
    stranger.look()
    assert stranger.cpu_s == 0
