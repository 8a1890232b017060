"""A training run with stored rollouts whose returns can be learned, of a tiny random policy: for fitting critics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import as_yaml, resolve
from tests.support.builders import a_rollout

RIGHT, WRONG = 40, 50
"""The first token of a response that is right, and of one that is wrong."""


def a_run_to_fit(folder: Path, policy: Path, *overrides: str, rows: Sequence[Rollout] | None = None) -> RunDir:
    """Write it: two steps of 12 problems with 4 samples each."""
    settings = ["rollout.max_tokens=8", "data.max_prompt_tokens=8", "optim.critic_lr=3e-3", f"model.policy={policy}"]
    run = RunDir(folder)
    run.create(kind="train", command=("orz-rl",), seed=1, environment={"run_id": "r1"})
    run.write_config(as_yaml(resolve("tiny", overrides=[*settings, *overrides])))
    for step in (1, 2):
        stored = run.rollouts(step)
        stored.path.mkdir(parents=True)
        stored.append(rollouts(step) if rows is None else [replace(row, step=step) for row in rows])
    return run


def rollouts(step: int, *, num_problems: int = 12) -> list[Rollout]:
    """Of a step: the first token says whether a response is right, its length and other tokens say nothing."""
    draw = np.random.default_rng(step)
    found = []
    for problem in range(num_problems):
        for sample in range(4):
            is_right = bool(draw.random() < 0.5)
            tokens = [RIGHT if is_right else WRONG, *draw.integers(5, 30, size=int(draw.integers(2, 7))).tolist()]
            found.append(
                a_rollout(
                    problem_id=f"p{problem}",
                    sample_index=sample,
                    step=step,
                    prompt_token_ids=[60 + problem, 4],
                    token_ids=tokens,
                    logprobs=[-1.0] * len(tokens),
                    num_tokens=len(tokens),
                    reward=float(is_right),
                    verdict="correct" if is_right else "wrong",
                )
            )
    return found
