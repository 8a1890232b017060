"""Rewards that do not say which answers are right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.rollout import VERDICTS, StopReason, Verdict
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.controls import controlled_reward
from orz_rl.rollout.reward_process import Scored, binary_of
from tests.support.builders import a_completion, a_grade, a_problem

NO_ANSWER: dict[str, Any] = {"extracted": None}


def scored(*, verdict: Verdict = "correct", stop_reason: StopReason = "eos", seed: int = 1, **grade: Any) -> Scored:
    completion = replace(a_completion(seed=seed), stop_reason=stop_reason)
    return Scored(
        problem=a_problem(), completion=completion, grade=replace(a_grade(verdict=verdict), **grade), where="here"
    )


def rewards(control: str, **given: Any) -> list[float]:
    return [controlled_reward(scored(seed=seed, **given), control=control, reward=binary_of) for seed in range(2000)]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("stop_reason", ["eos", "length"])
def test_inverted_and_format_look_at_answers_that_were_given(verdict: Verdict, stop_reason: StopReason) -> None:
    given = NO_ANSWER if verdict == "no_answer" else {"extracted": "7"}
    one = scored(verdict=verdict, stop_reason=stop_reason, **given)
    ends = stop_reason == "eos"
    assert controlled_reward(one, control="inverted", reward=binary_of) == float(ends and verdict == "wrong")
    assert controlled_reward(one, control="format", reward=binary_of) == float(ends and verdict != "no_answer")
    assert controlled_reward(one, control="none", reward=binary_of) == float(ends and verdict == "correct")


@pytest.mark.parametrize("verdict", ["correct", "wrong", "no_answer"])
def test_random_rewards_have_no_relation_to_the_verdict(verdict: Verdict) -> None:
    given = rewards("random", verdict=verdict)
    assert set(given) == {0.0, 1.0}
    assert sum(given) / len(given) == pytest.approx(0.5, abs=0.04)
    assert given == rewards("random", verdict="error")  # the same again, whatever the verdict


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("verdict", ["correct", "wrong"])
def test_a_share_of_the_rewards_is_flipped(share: float, verdict: Verdict) -> None:
    usual = float(verdict == "correct")
    flipped = sum(reward != usual for reward in rewards(f"flip:{share}", verdict=verdict)) / 2000
    assert flipped == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("control", ["randm", "flip", "flip:0", "flip:1.1", "flip:x", "flip:nan"])
def test_an_unknown_control_is_refused(control: str) -> None:
    with pytest.raises(ConfigError, match=r"reward\.control.*wanted none, random, inverted, format or flip:P"):
        resolve("tiny", overrides=[f"reward.control={control}"])


def test_a_control_replaces_only_the_binary_reward() -> None:
    with pytest.raises(ConfigError, match=r"set reward\.function=binary, or reward\.control=none"):
        resolve("tiny", overrides=["reward.control=random", "reward.function=mine:reward"])
