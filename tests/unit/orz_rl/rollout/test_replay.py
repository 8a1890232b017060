"""Stored rollouts in the place of sampled ones: what is learned, with which rewards, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Place
from orz_rl.rollout.buffer import POSITION
from orz_rl.rollout.replay import Replayed, ReplayedSteps, correction_of, last_step
from tests.support.parents import SMALL, a_parent, rows_of


def steps_of(run: RunDir, *overrides: str, is_rewarded_again: bool = False) -> ReplayedSteps:
    config = resolve("tiny", overrides=[*SMALL, *overrides])
    return ReplayedSteps(config, Replayed(run, config.num_rollouts, is_rewarded_again=is_rewarded_again))


def test_steps_come_in_their_order_as_they_were_before_they_were_learned(tmp_path: Path) -> None:
    steps = steps_of(a_parent(tmp_path))
    steps.begin(Place(2, 2, 1))
    for number in (2, 3):
        found = steps.take()
        wanted = [replace(row, advantage=None, value=None) for row in rows_of(number)]
        assert [replace(row, token_ids=None, logprobs=None, prompt_token_ids=None) for row in found.rollouts] == [
            replace(row, token_ids=None, logprobs=None, prompt_token_ids=None) for row in wanted
        ]
        assert [list(row.token_ids or ()) for row in found.rollouts] == [[1, 2, 3]] * 4
        assert (found.cursor, found.num_generated, found.num_replaced) == (2 * number, 0, 0)


def test_what_was_set_aside_is_not_learned(tmp_path: Path) -> None:
    run = a_parent(tmp_path)
    aside = [replace(row, problem_id="p99", advantage=None) for row in rows_of(1)[:2]]
    run.rollouts(1).replace([*rows_of(1), *aside])
    found = steps_of(run).take()
    assert {row.problem_id for row in found.rollouts} == {"p2", "p3"}
    assert (found.num_replaced, found.cursor, len(found.set_aside)) == (1, 3, 2)


def test_the_place_of_carried_samples_is_that_of_the_run(tmp_path: Path) -> None:
    run = a_parent(tmp_path)
    rows = [replace(row, extra={POSITION: 0 if row.problem_id == "p2" else 2}) for row in rows_of(1)]
    run.rollouts(1).replace(rows)
    overrides = ("rollout.partial=true", "rollout.max_staleness=2", "cluster.colocate=false")
    found = steps_of(run, *overrides).take()
    assert (found.cursor, found.beyond) == (1, (2,))


@pytest.mark.parametrize(
    ("override", "rewards"),
    [
        ("reward.control=none", [1.0, 0.0, 1.0, 0.0]),
        ("reward.control=inverted", [0.0, 0.0, 0.0, 0.0]),
        ("reward.overlong_buffer=111", [1.0 - 2 / 111, -2 / 111] * 2),
    ],
)
def test_other_rewards_follow_from_the_stored_verdicts(tmp_path: Path, override: str, rewards: list[float]) -> None:
    found = steps_of(a_parent(tmp_path), override, is_rewarded_again=True).take()
    assert [row.reward for row in found.rollouts] == pytest.approx(rewards)


@pytest.mark.parametrize(
    ("missing", "named"),
    [("token_ids", "token ids"), ("logprobs", "log-probabilities"), ("prompt_token_ids", "token ids")],
)
def test_rollouts_without_tokens_or_probabilities_are_refused(tmp_path: Path, missing: str, named: str) -> None:
    run = a_parent(tmp_path)
    changes = {missing: None} | ({"logprobs": None} if missing == "token_ids" else {})
    run.rollouts(1).replace(rows_of(1, **changes))
    with pytest.raises(RunDirError, match=rf"step=000001: 4 rollouts without .*{named}.*rollouts\.keep"):
        steps_of(run).take()


def test_fewer_rollouts_than_a_step_has_are_refused(tmp_path: Path) -> None:
    run = a_parent(tmp_path)
    run.rollouts(1).replace(rows_of(1)[:3])
    with pytest.raises(RunDirError, match="3 rollouts of a step that was not learned, or of other settings"):
        steps_of(run).take()


def test_the_steps_without_a_gap_count(tmp_path: Path) -> None:
    run = a_parent(tmp_path, learned=(1, 2, 4))
    assert last_step(run, first=1) == 2
    with pytest.raises(ConfigError, match="step 3 was not learned there, or its rollouts are gone"):
        last_step(run, first=3)


def test_the_new_run_is_known_by_the_problems_of_the_first_step(tmp_path: Path) -> None:
    run = a_parent(tmp_path)
    prompts = Replayed(run, 4).prompts()
    assert [prompt.problem.problem_id for prompt in prompts.prompts] == ["p2", "p3"]
    assert prompts.answers == "replay parent"


def test_the_correction_is_said() -> None:
    assert correction_of(resolve("tiny")).startswith("none")
    assert "loss.clip_against=sampler" in correction_of(resolve("tiny", overrides=["loss.clip_against=sampler"]))
    found = correction_of(resolve("tiny", overrides=["loss.importance_cap=2", "loss.sequence_band=[0.9, 1.1]"]))
    assert "up to 2 (loss.importance_cap)" in found
    assert "[0.9, 1.1] is masked (loss.sequence_band)" in found
