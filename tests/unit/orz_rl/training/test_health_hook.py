"""The hook hears each sign with its facts; one that fails, hangs or prints for ever changes nothing but an event."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir
from orz_rl.training.health_hook import check_hook, start_hook

FACTS: dict[str, str | int] = {"sign": "reward", "step": 7, "text": "it fell; $(touch no) `touch no` \U0001f600"}


def outcome(command: str, folder: Path, *, timeout_s: float = 20) -> str:
    run = RunDir(folder)
    thread = start_hook(command, FACTS, run=run, timeout_s=timeout_s)
    thread.join(1000)
    assert not thread.is_alive()
    (event,) = [json.loads(line) for line in run.events_path.read_text(encoding="utf-8").splitlines()]
    assert (event["event"], event["sign"], event["step"]) == ("hook", "reward", 7)
    return str(event["text"])


def python(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_it_gets_the_facts_on_stdin_and_in_its_environment(tmp_path: Path) -> None:
    program = "import json, os, sys; f = json.load(sys.stdin); print(f == {**f, 'text': os.environ['ORZ_TEXT']}, f)"
    assert outcome(python(program), tmp_path) == f"done: True {FACTS}"


def test_no_shell_reads_anything(tmp_path: Path) -> None:
    assert outcome(f"echo '$HOME' ; touch {tmp_path}/no", tmp_path) == f"done: $HOME ; touch {tmp_path}/no"
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("false", "failed with exit code 1"),
        ("true", "done"),  # it does not read its input
        ("/no/such/program", "not started: "),
        ("'unclosed", "not started: health.hook is"),
        (python("import sys; sys.exit('no network')"), "failed with exit code 1: no network"),
        (python("import os; os.kill(os.getpid(), 9)"), "failed with exit code -9"),
    ],
)
def test_a_hook_that_fails_is_an_event(tmp_path: Path, command: str, text: str) -> None:
    assert outcome(command, tmp_path).startswith(text)


@pytest.mark.parametrize(
    "command", ["sleep 600", "yes", "sh -c 'setsid sleep 3 & sleep 600'", "sh -c 'exec >&- 2>&-; sleep 600'"]
)
def test_a_hook_that_hangs_is_stopped(tmp_path: Path, command: str) -> None:
    assert outcome(command, tmp_path, timeout_s=0.3) == "stopped: still running after 0.3 s"


def test_a_hook_that_cannot_be_started_is_refused_before_training() -> None:
    check_hook(None)
    check_hook("echo hello")
    for command, fault in (("/no/such/program x", "not found"), ("'a", "not a valid command line"), (" ", "is empty")):
        with pytest.raises(ConfigError, match=fault):
            check_hook(command)
