"""The last words of a process are its own, of the present start, and worth reading."""

from __future__ import annotations

from pathlib import Path

from orz_rl.workers.process_log import ProcessLogs

MARK = "process 4711 on node 173d4888eb1e5a05, started 2026-11-26T01:10:15+00:00\n"
NOISE = r"""
[2026-11-26 01:10:15,201] [WARNING] [real_accelerator.py:213:get_accelerator] Setting accelerator to CPU.
[2026-11-26 01:10:16,733 W 13005 13005] (raylet) node_manager.cc:123: a worker is slow
[2026-11-26 01:10:16,733 E 13005 13120] core_worker.cc:720: :info_message: Attempting to recover
2026-11-26 01:10:15,201	WARNING worker.py:2062 -- Tip: set RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO
INFO 11-26 01:10:12 [llm.py:33] Initializing an LLM engine
(EngineCore_DP0 pid=77) INFO 11-26 01:10:12 [core.py:33] Waiting for init
/usr/lib/python3/site-packages/torch/cuda/__init__.py:61: FutureWarning: The pynvml package is deprecated.
  warnings.warn(
"""
CRASH = r"""*** SIGSEGV received at time=1764119416 on cpu 1 ***
PC: @     0x7f2c1e6a3b1c  (unknown)  pthread_kill
    @     0x7f2c1e64c4a0  (unknown)  (unknown)
    @ ... and at least 3 more frames
[2026-11-26 01:10:16,800 E 13005 13005] logging.cc:501: *** SIGSEGV received at time=1764119416 on cpu 1 ***
Fatal Python error: Segmentation fault

Current thread 0x00007f2c1e5c0740 (most recent call first):
  File "orz_rl/workers/model_rank.py", line 226 in _optimiser_step

Extension modules: numpy._core._multiarray_umath, torch._C (total: 123)
"""


def words_after(tmp_path: Path, text: str) -> str:
    """The lines quoted from a log to which this start has added a text."""
    log = tmp_path / "policy-0.log"
    log.write_text(MARK + "words of an earlier start\n" + NOISE, encoding="utf-8")
    logs = ProcessLogs(tmp_path)
    assert logs.open("policy-0") == str(log)
    with log.open("a", encoding="utf-8") as file:
        file.write(text)
    return logs.last_words(["policy-0"])


def test_only_lines_of_this_start_are_quoted(tmp_path: Path) -> None:
    found = words_after(tmp_path, MARK + NOISE + "RuntimeError: out of luck\n")
    assert found == f"policy-0 last wrote ({tmp_path}/policy-0.log):\n  RuntimeError: out of luck"


def test_a_process_that_wrote_nothing_is_reported_as_such(tmp_path: Path) -> None:
    wanted = f"policy-0 wrote nothing about it ({tmp_path}/policy-0.log)."
    assert words_after(tmp_path, "") == wanted, "killed before it could mark its start"
    assert words_after(tmp_path, MARK + NOISE) == wanted


def test_a_native_crash_is_quoted_from_the_fatal_error_on_without_native_frames(tmp_path: Path) -> None:
    lines = words_after(tmp_path, MARK + NOISE + "step 3\n" * 30 + CRASH).splitlines()[1:]
    assert lines == [
        "  Fatal Python error: Segmentation fault",
        "  Current thread 0x00007f2c1e5c0740 (most recent call first):",
        '    File "orz_rl/workers/model_rank.py", line 226 in _optimiser_step',
    ]


def test_at_most_fifteen_lines_are_quoted(tmp_path: Path) -> None:
    text = MARK + "".join(f"line {number}\n" for number in range(40))
    assert words_after(tmp_path, text).splitlines()[1:] == [f"  line {number}" for number in range(25, 40)]


def test_a_log_on_another_node_is_named(tmp_path: Path) -> None:
    logs = ProcessLogs(tmp_path)
    logs.open("engine-3")
    assert logs.last_words(["engine-3"]) == (
        f"engine-3: no log on this machine; look for {tmp_path}/engine-3.log on the node where it ran."
    )


def test_a_log_that_was_replaced_meanwhile_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "policy-0.log"
    log.write_text("long " * 100, encoding="utf-8")
    logs = ProcessLogs(tmp_path)
    logs.open("policy-0")
    log.write_text(MARK + "killed by quota\n", encoding="utf-8")
    assert logs.last_words(["policy-0"]).endswith("  killed by quota")
