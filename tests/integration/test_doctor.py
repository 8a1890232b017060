"""`orz-rl doctor` on this machine: every row passes, or says why it cannot be tried here. All components are real."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from orz_bench.environment import has_gpu
from tests.guards.tree import PROJECT

NEEDS_A_GPU = {"peer access", "flash attention = packed_sdpa", "it sleeps at level 2 and wakes"}


@pytest.mark.slow
@pytest.mark.real_model
def test_every_row_passes_or_cannot_be_tried_here() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orz_rl.cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=1100,
        cwd=PROJECT,
        check=False,
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, report
    verdicts = {row["name"]: row["verdict"] for row in report["rows"]}
    assert len(verdicts) == len(report["rows"]) == 18
    assert "failed" not in verdicts.values()
    assert all(row["found"] for row in report["rows"])
    if not has_gpu():
        assert report["device"] == "cpu"
        assert {name for name, verdict in verdicts.items() if verdict != "passed"} == NEEDS_A_GPU
        assert {"weights by gloo", "weights by shared memory", "weights through host memory"} <= set(verdicts)
    assert all(verdicts[name] == "passed" for name in verdicts if "ZeRO" in name or "colocated" in name)
