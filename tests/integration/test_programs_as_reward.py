"""A training whose answers are programs: the sandbox runs every one, and its verdict is the reward."""

from __future__ import annotations

from pathlib import Path

from orz_rl.assets.programs import NAME
from tests.support.training import SMALL, orz_rl, rollouts_of


def test_a_training_is_graded_by_the_sandbox(tmp_path: Path) -> None:
    settings = (f"data.source={NAME}", "data.max_prompt_tokens=448", "num_steps=1", "rollout.num_samples=2")
    done = orz_rl(*SMALL, *settings, "--out", tmp_path)
    assert "programs are run with" in done.stderr
    rows = rollouts_of(tmp_path, 1)
    assert len(rows) == 8
    assert all(row["grader_version"].startswith("code ") for row in rows)
    assert {row["verdict"] for row in rows} <= {"correct", "wrong", "no_answer"}
