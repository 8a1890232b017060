"""Stored answers step by step: every one once in an epoch, none twice in a step, whatever was interrupted."""

from __future__ import annotations

from collections import Counter

import pytest

from orz_bench.errors import ConfigError
from orz_rl.config import TrainConfig
from orz_rl.recipes.distill import supervised
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import StepRollouts
from orz_rl.rollout.demonstrations import DemonstrationCollector, prompts_of
from tests.support.builders import a_rollout

ROWS = [a_rollout(problem_id=f"p{index % 5}", sample_index=index // 5, prompt_token_ids=[1]) for index in range(13)]


def a_config(*overrides: str) -> TrainConfig:
    return resolve("tiny", overrides=[*supervised("runs/x"), "distill.batch=4", "optim.critic_updates=1", *overrides])


def step(number: int, *, cursor: int, seed: int = 1) -> StepRollouts:
    collector = DemonstrationCollector(a_config(f"seed={seed}"), ROWS)
    return collector.collect(number, policy_version=7, cursor=cursor, on_committed=lambda rows: None)


def test_an_epoch_has_every_answer_once() -> None:
    seen: Counter[tuple[str, int]] = Counter()
    cursor = 0
    for number in range(1, 14):  # 13 steps of 4: four epochs
        found = step(number, cursor=cursor)
        cursor = found.cursor
        keys = [row.key for row in found.rollouts]
        assert len(set(keys)) == 4
        assert found.num_generated == 0
        assert {row.step for row in found.rollouts} == {number}
        seen.update(keys)
    assert set(seen.values()) == {4}


def test_a_step_is_a_function_of_its_place_and_the_seed() -> None:
    assert step(3, cursor=8) == step(3, cursor=8)
    assert step(3, cursor=8).rollouts != step(3, cursor=8, seed=2).rollouts


def test_prompts_are_those_of_the_problems_and_the_identity_that_of_the_answers() -> None:
    prompts = prompts_of(ROWS, config=a_config(), digest="abc")
    assert sorted(prompt.problem.problem_id for prompt in prompts.prompts) == ["p0", "p1", "p2", "p3", "p4"]
    assert prompts.answers == "abc"
    with pytest.raises(ConfigError, match=r"3 answers to learn, but a step needs distill.batch=4 different ones"):
        prompts_of(ROWS[:3], config=a_config(), digest="")
