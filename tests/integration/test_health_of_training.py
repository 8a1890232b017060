"""A run in which every response is truncated: each sign is reported once, the hook runs, health.stop stops the run."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from tests.support.training import SMALL, orz_rl

CUT = (*SMALL, "rollout.max_tokens=2", "checkpoint.every=2", "num_steps=7")
HOOK = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read() + chr(10))"


def test_a_sign_runs_the_hook_and_stops_the_run_if_health_stop_names_it(tmp_path: Path) -> None:
    run, heard = tmp_path / "run", tmp_path / "heard"
    hook = f"health.hook={shlex.join([sys.executable, '-c', HOOK, str(heard)])}"
    first = orz_rl(*CUT, hook, "health.stop=reward,clip_rate", "--out", run, expect=2)
    assert "step 5: stopped by the sign clip_rate (health.stop): more than half" in first.stderr
    assert (run / "FAILED").read_text(encoding="utf-8").startswith("step 5: stopped by the sign clip_rate")
    reported = [json.loads(line) for line in heard.read_text(encoding="utf-8").splitlines()]
    assert sorted(facts["sign"] for facts in reported) == ["clip_rate", "no_signal"]
    assert all((facts["step"], facts["run"]) == (5, str(run)) and "since step 1" in facts["text"] for facts in reported)
    again = orz_rl(*CUT, "health.stop=clip_rate", "--out", run, expect=2)
    assert "step 5: stopped by the sign clip_rate" in again.stderr
    orz_rl(*CUT, "health.hook=sh -c 'exit 3'", "--out", run)
    assert (run / "DONE").exists()
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    reported = [(event["sign"], event["text"]) for event in events if event["event"] == "hook"]
    assert sorted(reported) == [("clip_rate", "done"), ("no_signal", "done")]  # once, in three commands


def test_a_hook_that_cannot_be_started_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = orz_rl(*CUT, "health.hook=/no/such/program", "--out", tmp_path / "run", expect=2)
    assert "health.hook: program '/no/such/program' not found" in done.stderr
    done = orz_rl(*CUT, "health.stop=rewards", "--out", tmp_path / "run", expect=2)
    assert "health.stop" in done.stderr
