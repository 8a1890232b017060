"""What a step's row leaves out: numbers that would be rounding errors, or the speed of reading files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from orz_rl.ppo.batch import Batch
from orz_rl.ppo.parts import Estimate
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import StepRollouts
from orz_rl.training.learner import Scores, Updates
from orz_rl.training.step_metrics import Row, metrics_row
from orz_rl.training.trainer import StepReport
from orz_rl.training.value_bias import value_bias
from orz_rl.workers.messages import Update
from tests.support.builders import a_rollout

SECONDS = {"sample": 0.5, "score": 1.0, "update": 1.0, "sync": 0.1}


def row_of(returns: list[float], *, num_generated: int | None = None) -> Row:
    """Of rollouts with these returns, which stand at each of their three tokens."""
    return metrics_row(report_of(returns, num_generated=num_generated), resolve("tiny"))


def report_of(returns: list[float], *, num_generated: int | None = None) -> StepReport:
    rollouts = tuple(
        a_rollout(
            sample_index=index,
            num_tokens=3,
            token_ids=(1, 2, 3),
            prompt_token_ids=(4,),
            logprobs=(-0.5, -0.4, -0.3),
            reward=float(value > 0.5),
        )
        for index, value in enumerate(returns)
    )
    batch = Batch.of(rollouts)
    values = torch.rand(batch.mask_BT.shape, generator=torch.Generator().manual_seed(1))
    wanted = torch.tensor(returns)[:, None].expand_as(batch.mask_BT)
    # Returns as they come about: advantages and values are added again.
    found = (wanted - values) + values
    update = Update(loss=0.1, clipped=0.0, grad_norm=1.0, logprobs=[], entropies=[])
    updates = Updates((update,), (update,), batch.sampler_logprobs_BT, batch.mask_BT, 0.5, (1e-6, 5e-6))
    return StepReport(
        step=1,
        policy_version=0,
        collection=StepRollouts(rollouts, 4, 0, len(rollouts) if num_generated is None else num_generated),
        batch=batch,
        scores=Scores(values, None, None, None),
        estimate=Estimate(advantages_BT=found - values, raw_advantages_BT=found - values, returns_BT=found),
        updates=updates,
        seconds=SECONDS,
    )


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3, -7.0])
def test_equal_returns_leave_nothing_to_explain(value: float) -> None:
    assert "critic/explained_variance" not in row_of([value] * 4)


def test_returns_that_differ_are_explained_or_not() -> None:
    assert row_of([0.0, 1.0, 0.0, 1.0])["critic/explained_variance"] < 1
    assert "critic/explained_variance" in row_of([0.0] * 99 + [0.01])


def test_the_speed_of_sampling_is_told_only_where_all_was_sampled() -> None:
    assert row_of([0.0, 1.0])["throughput/sample"] == 6 / 0.5
    for num_generated in (0, 1):
        row = row_of([0.0, 1.0], num_generated=num_generated)
        assert "throughput/sample" not in row
        assert row["throughput/train"] == 8 / 2.0


def test_staleness_is_over_tokens_whether_a_sample_has_one_version_or_several() -> None:
    """By NumPy, over the tokens of samples of one version and of samples that went on with new weights."""
    report = report_of([0.0, 1.0, 0.5, 0.2])
    versions = [[5, 5, 5], [3, 4, 6], [7, 7, 7], [4, 4, 6]]
    rows = [
        replace(row, policy_version=each[0], token_versions=None if len({*each}) == 1 else each)
        for row, each in zip(report.batch.rollouts, versions, strict=True)
    ]
    rows[3] = replace(rows[3], token_ids=(1, 2), logprobs=(-1.0, -1.0), num_tokens=2, token_versions=(4, 4))
    stale = replace(report, policy_version=7, batch=replace(report.batch, rollouts=tuple(rows)))
    settings = ["cluster.colocate=false", "rollout.max_staleness=4"]
    found = metrics_row(stale, resolve("tiny", overrides=settings))
    ages = 7 - np.array([5, 5, 5, 3, 4, 6, 7, 7, 7, 4, 4])
    assert found["staleness/mean"] == pytest.approx(ages.mean())
    assert found["staleness/max"] == ages.max() == 4
    assert not [name for name in metrics_row(stale, resolve("tiny")) if name.startswith("staleness")]


def test_the_bias_of_values_by_position_is_a_plain_loop() -> None:
    """Also of responses shorter than four tokens, and of more rows than are computed at once."""
    generator = torch.Generator().manual_seed(3)
    lengths = [1, 2, 3, 4, 5, 17, 300, *torch.randint(1, 300, (400,), generator=generator).tolist()]
    mask = (torch.arange(300) < torch.tensor(lengths)[:, None]).float()
    values, returns = (torch.randn(mask.shape, generator=generator) for _ in range(2))
    parts: list[list[float]] = [[], [], [], []]
    for row, length in enumerate(lengths):
        for at in range(length):
            parts[4 * at // length].append(float(values[row, at]) - float(returns[row, at]))
    found = dict(value_bias(values, returns, mask_BT=mask))
    assert found == {
        f"critic/value_bias_{part}": pytest.approx(sum(each) / len(each)) for part, each in enumerate(parts, start=1)
    }
    assert list(dict(value_bias(values[:1], returns[:1], mask_BT=mask[:1]))) == ["critic/value_bias_1"]


@pytest.mark.parametrize("lam_value", [1.0, 0.5])
def test_the_bias_is_against_what_came_not_against_the_critics_target(lam_value: float) -> None:
    """Rewards 1, 0, 1, 1 on the last of three tokens; the values are as if nothing had been learned."""
    report = report_of([1.0, 0.0, 1.0, 1.0])
    values = torch.full_like(report.batch.mask_BT, 0.25)
    report = replace(report, scores=Scores(values, None, None, None))
    config = resolve("tiny", overrides=[f"advantage.lam_value={lam_value}"])
    row = metrics_row(report, config)
    assert [row[f"critic/value_bias_{part}"] for part in (1, 2, 3)] == pytest.approx([-0.5] * 3)
    discounted = metrics_row(report, resolve("tiny", overrides=["advantage.gamma=0.5", "advantage.lam=0.9"]))
    wanted = [0.25 - 0.75 * 0.25, 0.25 - 0.75 * 0.5, 0.25 - 0.75]
    assert [discounted[f"critic/value_bias_{part}"] for part in (1, 2, 3)] == pytest.approx(wanted)


def test_a_step_of_the_critic_alone_has_no_metrics_of_the_policys_learning() -> None:
    report = report_of([0.0, 1.0, 0.0, 1.0])
    alone = replace(report.updates, policy=(), logprobs_BT=None, entropy_BT=None, packing_efficiency=None)
    config = resolve("tiny", overrides=["critic.warmup_steps=3"])
    row = metrics_row(replace(report, step=2, updates=alone), config)
    assert row["critic/warmup"] == 2
    assert "critic/loss" in row
    assert "reward/mean" in row
    assert not [name for name in row if name.startswith(("policy/", "mismatch/", "packing/"))]
    learns = metrics_row(replace(report, step=9), config)
    assert learns["critic/warmup"] == 3
    assert "policy/loss" in learns
    assert "critic/warmup" not in metrics_row(report, resolve("tiny"))
