"""The error for a process that died names the command that resumes the run."""

from __future__ import annotations

import pytest

from orz_bench.errors import EngineError
from orz_rl.training.loop import names_command
from orz_rl.workers.cluster import WorkerDiedError


def test_the_command_that_resumes_does_not_start_over() -> None:
    error = WorkerDiedError("the process engine-0 died.")
    command = ("orz-rl", "train", "--fresh", "rollout.stop=[a, b]", "--out", "runs/x")
    with pytest.raises(WorkerDiedError) as caught, names_command(command):
        raise error
    assert caught.value is error
    assert str(error) == ("the process engine-0 died.\nResume with:\n  orz-rl train 'rollout.stop=[a, b]' --out runs/x")


def test_an_error_that_would_come_again_names_no_command() -> None:
    with pytest.raises(EngineError, match=r"^the policy is broken$"), names_command(("orz-rl", "train")):
        raise EngineError("the policy is broken")
