"""A job on the GPUs is said at once. nvidia-smi's output here was written after its documentation, not recorded."""

from __future__ import annotations

import pytest

from orz_bench.errors import ConfigError
from orz_rl.rehearsal.doctor import require_free
from orz_rl.rehearsal.gpus import list_gpus, parse_gpus, visible

DEVICES = """0, GPU-aa, NVIDIA H100 80GB HBM3, 570.86.15, 81559, 4
1, GPU-bb, NVIDIA H100 80GB HBM3, 570.86.15, 81559, 44000
2, GPU-cc, NVIDIA H100 80GB HBM3, 570.86.15, 81559, 9000
"""
PROCESSES = "GPU-bb, 1234, /usr/bin/python3, 43990\nGPU-bb, 77, python, [N/A]\n"


def test_devices_and_who_uses_them() -> None:
    free, busy, hidden = parse_gpus(DEVICES, PROCESSES)
    assert (free.is_busy, busy.is_busy, hidden.is_busy) == (False, True, True)
    assert busy.processes == ("pid 1234 (/usr/bin/python3), 43.0 GiB", "pid 77 (python)")
    assert "another container" in hidden.busy_text
    assert free.driver == "570.86.15"
    assert parse_gpus("", "") == []
    assert parse_gpus("No devices were found\n", "") == []
    assert parse_gpus("0, GPU-aa, A, 1, [N/A], [N/A]\n", "") == []


def test_only_gpus_that_this_process_may_use_count() -> None:
    gpus = parse_gpus(DEVICES, PROCESSES)
    assert [gpu.index for gpu in visible(gpus, None)] == [0, 1, 2]
    assert [gpu.index for gpu in visible(gpus, "2, 0")] == [2, 0]
    assert [gpu.index for gpu in visible(gpus, "GPU-bb")] == [1]
    assert [gpu.index for gpu in visible(gpus, "0,9,1")] == [0]
    assert visible(gpus, "") == []


def test_a_job_of_another_is_refused_with_the_gpus_that_are_free() -> None:
    gpus = parse_gpus(DEVICES, PROCESSES)
    with pytest.raises(ConfigError, match=r"(?s)another job holds GPUs.*pid 1234.*CUDA_VISIBLE_DEVICES=0;"):
        require_free(gpus)
    with pytest.raises(ConfigError, match="Wait for it, or end it; then"):
        require_free(gpus[1:])
    require_free(gpus[:1])
    require_free([])


def test_a_machine_without_the_tool_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert list_gpus() == []
