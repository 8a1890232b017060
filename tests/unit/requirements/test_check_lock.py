"""The comparison of an environment with a lock file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shared_data import PROJECT


def check(folder: Path, lock: str, **installed: str) -> str:
    """What check_lock.py says where these packages are installed before any other; empty when it accepts them."""
    for name, version in installed.items():
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "lock.txt").write_text(lock)
    command = [sys.executable, str(PROJECT / "requirements" / "check_lock.py"), str(folder / "lock.txt")]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == bool(done.stderr)
    return done.stderr


def test_a_met_lock_is_accepted_in_silence(tmp_path: Path) -> None:
    assert not check(tmp_path, "# a comment\n\nalpha==1.2\nbeta==3.0\n", alpha="1.2", beta="3.0+local")


def test_every_fault_is_told(tmp_path: Path) -> None:
    said = check(tmp_path, "alpha==1.2\nno-such-package==3.0\n", alpha="1.3")
    assert "alpha is 1.3, wanted 1.2" in said
    assert "no-such-package is not installed, wanted 3.0" in said


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="elsewhere the plain wheel is it")
def test_a_cuda_build_of_torch_is_told_with_what_to_do(tmp_path: Path) -> None:
    assert "PIP_ARGS" in check(tmp_path, "torch==2.13.0\n", torch="2.13.0")
