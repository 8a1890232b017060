"""`orz-rl plan` against DeepSpeed itself: ZeRO-3 among the recipes' ranks, on fake tensors of the published shapes.

With few layers here; whole models: benchmarks/zero_memory.py, whose result is checked, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from orz_rl.planning.architectures import PUBLISHED
from orz_rl.planning.plan import Memory, model_memory
from orz_rl.recipes.registry import resolve
from tests.guards.tree import PROJECT


def planned(task: dict[str, Any]) -> Memory:
    shape = PUBLISHED[task["model"]]
    shape = replace(shape, layers=task["layers"] or shape.layers)
    recipe = "orz_7b" if task["model"].endswith("7B") else "orz_32b"
    assert resolve(recipe).cluster.pack_tokens == task["tokens"]
    assert resolve(recipe).cluster.policy_ranks == task["ranks"]
    is_critic = task["role"] == "critic"
    parameters = shape.critic_parameters if is_critic else shape.policy_parameters
    return model_memory(parameters, shape, config=resolve(recipe), ranks=task["ranks"], has_logits=not is_critic)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [
        {"model": "Qwen/Qwen2.5-7B", "layers": 2, "tokens": 16_384, "ranks": 32, "role": "policy", "stage": 3},
        {"model": "Qwen/Qwen2.5-32B", "layers": 1, "tokens": 10_048, "ranks": 32, "role": "critic", "stage": 3},
    ],
)
def test_an_update_needs_what_was_planned(task: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "tests.support.fake_rank", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=900, check=True)
    require_close(task, json.loads(done.stdout.splitlines()[-1]))


def require_close(task: dict[str, Any], found: dict[str, int]) -> None:
    plan = planned(task)
    assert plan.total == pytest.approx(found["peak"], rel=0.1), task
    bucket = 200_000_000 * 2  # which DeepSpeed keeps
    assert plan.states + bucket == pytest.approx(found["states"], rel=0.05), task


def test_whole_models_need_what_was_planned() -> None:
    path = PROJECT / "benchmarks" / "results" / "zero_memory.json"
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert {(case["task"]["model"], case["task"]["role"]) for case in cases} == {
        (f"Qwen/Qwen2.5-{size}", role) for size in ("7B", "32B") for role in ("policy", "critic")
    }
    for case in cases:
        assert case["task"]["layers"] is None
        require_close(case["task"], case["found"])
