"""Memory that a training process frees stays its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, torch
from orz_rl.workers.cpu_memory import keep_freed_memory
print(keep_freed_memory())
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [torch.ones(2**20) for _ in range(4)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print([faults() for _ in range(8)][-1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's memory settings are those of Linux")
def test_the_pages_of_freed_tensors_are_not_taken_again() -> None:
    """Four tensors of 4 MiB are 4,096 pages."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    is_kept, faults = done.stdout.split()
    assert is_kept == "True"
    assert int(faults) < 200
