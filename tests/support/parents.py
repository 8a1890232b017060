"""A training run that others can be made from: settings, metrics, rollouts with tokens, checkpoints of small files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import as_yaml, resolve
from orz_rl.settings.history import SETTINGS_VERSION
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.file_digests import records_of
from tests.support.builders import a_rollout

SMALL = ("rollout.num_problems=2", "rollout.num_samples=2", "num_steps=4")


def a_parent(
    folder: Path,
    *overrides: str,
    steps: Sequence[int] = (2, 4),
    run_id: str = "parent",
    learned: Iterable[int] = range(1, 5),
) -> RunDir:
    """Of the recipe tiny, with 2 x 2 rollouts a step, learned in these steps; `steps` have checkpoints."""
    config = resolve("tiny", overrides=[*SMALL, *overrides])
    run = RunDir(folder)
    run.create(kind="train", command=["orz-rl"], seed=config.seed, environment={"run_id": run_id, "backend": "native"})
    run.write_config(f"# settings of version {SETTINGS_VERSION}, orz 0\n{as_yaml(config)}")
    run.write_metrics([{"step": step, "policy_version": step - 1, "reward/mean": step / 10} for step in learned])
    for step in learned:
        run.rollouts(step).path.mkdir(parents=True)
        run.rollouts(step).append(rows_of(step))
    for step in steps:
        a_checkpoint(run, step, config=config)
    return run


def rows_of(step: int, **changes: Any) -> list[Rollout]:
    """The rollouts of a step, as they are after its update: the second sample of each problem was cut."""
    facts = {"token_ids": (1, 2, 3), "prompt_token_ids": (4, 5), "logprobs": (-0.5, -0.4, -0.3), "num_tokens": 3}
    return [
        a_rollout(
            **facts
            | {
                "problem_id": f"p{2 * step + problem}",
                "sample_index": sample,
                "step": step,
                "policy_version": step - 1,
                "verdict": "wrong" if sample else "correct",
                "stop_reason": "length" if sample else "eos",
                "reward": float(not sample),
                "advantage": 0.5,
                "value": 0.25,
            }
            | changes
        )
        for problem in range(2)
        for sample in range(2)
    ]


def a_checkpoint(run: RunDir, step: int, *, config: TrainConfig) -> Path:
    """Files of some bytes in the places of a checkpoint's, and the manifest that knows them."""
    found = Checkpoints(run)
    folder = found.path(step)
    for name in (
        "policy/model.safetensors",
        "critic/model.safetensors",
        "state/policy/state.pt",
        "state/critic/state.pt",
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(f"{name} of step {step}".encode())
    manifest = Manifest(
        step=step,
        policy_version=step,
        cursor=step * config.rollout.num_problems,
        digest=f"parent:{step}",
        score=0.5,
        is_evaluated=False,
        policy_ranks=1,
        critic_ranks=1,
    )
    facts = manifest.facts() | {"files": {name: asdict(record) for name, record in records_of(folder).items()}}
    (folder / "manifest.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder
