"""reward.truncated=mask: a step learns as if the truncated responses had not been sampled, and counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.ppo.advantages import rloo
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Place
from orz_rl.rollout.collector import StepRollouts, learned
from orz_rl.training.devices import SideBySide
from orz_rl.training.learner import Learner
from orz_rl.training.run_writer import _write_advantages
from orz_rl.training.step_metrics import metrics_row
from orz_rl.training.trainer import StepReport, Trainer
from orz_rl.workers.cluster import Cluster
from orz_rl.workers.in_process import Done
from orz_rl.workers.messages import Update
from orz_rl.workers.no_engines import NoEngines
from tests.support.builders import a_rollout

ESTIMATORS = ("gae", "grpo", "dr_grpo", "rloo", "reinforce_pp")


@dataclass
class OneRank:
    """Policy and critic: scores that follow from the tokens, and what the updates are made from."""

    num_ranks: int = 1
    items: dict[str, list[Any]] = field(default_factory=lambda: {"policy": [], "critic": []})

    def open_model(self, spec: object, num_ranks: int) -> OneRank:
        return self

    def ready(self) -> None: ...

    def check_packs(self, **_: Any) -> Done:
        return Done(None)

    def start(self, method: str, shares: Sequence[Any] | None = None, **settings: Any) -> Done:
        """As ModelGroup calls its rank."""
        assert shares is not None
        if method.startswith("update"):
            self.items[method.removeprefix("update_")] += [item for batch in shares[0] for item in batch]
            return Done(
                [Update(loss=0.1, clipped=0.0, grad_norm=1.0, logprobs=o, entropies=o) for o in _outputs(shares[0])]
            )
        return Done([_scores(pack) for pack in shares[0]])

    def values(self, packs: Sequence[Any]) -> Done:
        return self.start("values", packs)

    def logprobs(self, packs: Sequence[Any]) -> Done:
        return self.start("logprobs", packs)

    def update_policy(self, batches: Any, **settings: Any) -> Done:
        assert len(settings["lr"]) >= len(batches[0])
        return self.start("update_policy", batches)

    def update_critic(self, batches: Any, **settings: Any) -> Done:
        assert len(settings["lr"]) >= len(batches[0])
        return self.start("update_critic", batches)


def _outputs(batches: Sequence[Sequence[Any]]) -> list[list[torch.Tensor]]:
    return [[item.weights_R for item in batch] for batch in batches]


def _scores(pack: Any) -> torch.Tensor:
    counts = [count for each in pack.lengths for count in each.responses]
    return torch.cat([torch.linspace(0.1, 0.1 * count, count) for count in counts])


class Given:
    """One step of these rollouts."""

    def __init__(self, rollouts: Sequence[Rollout]) -> None:
        self._found = StepRollouts(tuple(rollouts), 2, num_replaced=0, num_generated=len(rollouts))

    def begin(self, place: Place) -> None: ...

    def engines_hold(self, version: int) -> None: ...

    def take(self) -> StepRollouts:
        return self._found

    def close(self) -> None: ...


def some(cut: Sequence[int] = (1, 3, 5)) -> list[Rollout]:
    """Two problems with three samples each; these are cut, which are the longest."""
    return [
        a_rollout(
            problem_id=f"p{index // 3}",
            sample_index=index % 3,
            token_ids=[1] * (9 if index in cut else 2 + index),
            prompt_token_ids=[7, 8],
            logprobs=[-0.5] * (9 if index in cut else 2 + index),
            num_tokens=9 if index in cut else 2 + index,
            stop_reason="length" if index in cut else "eos",
            reward=float(index in (0, 4)),
        )
        for index in range(6)
    ]


def one_step(rollouts: Sequence[Rollout], *overrides: str) -> tuple[OneRank, StepReport]:
    rank = OneRank()
    config = resolve("tiny", overrides=["rollout.num_problems=2", "rollout.num_samples=3", *overrides])
    learner = Learner(config, cast("Cluster", rank), policy="m", critic="m")
    sampler = NoEngines()
    trainer = Trainer(config, ahead=Given(rollouts), learner=learner, sampler=sampler, devices=SideBySide())
    return rank, trainer.step(1)


def _tensors(items: Sequence[Any]) -> list[dict[str, list[float]]]:
    return [
        {name: getattr(item, name).tolist() for name in item.__dataclass_fields__ if name.endswith("_R") and
         getattr(item, name) is not None}
        for item in items
    ]  # fmt: skip


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_step_learns_as_if_they_had_not_been_sampled(estimator: str) -> None:
    overrides = (f"advantage.estimator={estimator}", "optim.critic_updates=2")
    masked, report = one_step(some(), *overrides, "reward.truncated=mask")
    without, _ = one_step([row for row in some() if row.stop_reason != "length"], *overrides)
    for model in ("policy", "critic"):
        assert _tensors(masked.items[model]) == _tensors(without.items[model])
    assert len(report.batch.rollouts) == 3
    assert len(report.collection.rollouts) == 6


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_by_default_they_are_learned(estimator: str) -> None:
    rank, _ = one_step(some(), f"advantage.estimator={estimator}")
    assert sum(len(item.weights_R) for item in rank.items["policy"]) == sum(row.num_tokens for row in some())


def test_they_are_counted_and_all_else_is_of_all_responses() -> None:
    config = resolve("tiny", overrides=["reward.truncated=mask"])
    row = metrics_row(one_step(some(), "reward.truncated=mask")[1], config)
    assert row["response/masked"] == row["response/clip_rate"] == 0.5
    assert row["reward/mean"] == pytest.approx(2 / 6)
    assert row["response/length_max"] == 9
    assert "response/masked" not in metrics_row(one_step(some())[1], resolve("tiny"))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_step_of_truncated_responses_updates_nothing(estimator: str) -> None:
    overrides = (f"advantage.estimator={estimator}", "reward.truncated=mask")
    rank, report = one_step(some(cut=range(6)), *overrides)
    assert rank.items == {"policy": [], "critic": []}
    row = metrics_row(report, resolve("tiny", overrides=overrides))
    assert row["response/masked"] == 1.0
    assert not any(
        name.startswith(("policy/", "critic/", "mismatch/", "advantage/")) for name in row if name != "policy_version"
    )


def test_there_are_no_more_updates_than_responses_that_are_learned() -> None:
    rank, report = one_step(some(), "reward.truncated=mask", "optim.critic_updates=6", "optim.policy_updates=4")
    assert (len(report.updates.policy), len(report.updates.critic)) == (3, 3)
    assert len(rank.items["policy"]) == 3


def test_rows_keep_their_order_and_say_which_were_not_learned(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    report = one_step(some(), "reward.truncated=mask")[1]
    _write_advantages(report, run, has_entropies=True)
    rows = run.rollouts(1).rows()
    assert [row.key for row in rows] == [row.key for row in some()]
    assert [row.advantage is None for row in rows] == [row.stop_reason == "length" for row in some()]
    learned = [row for row in rows if row.stop_reason != "length"]
    assert [row.entropies is None for row in rows] == [row.stop_reason == "length" for row in rows]
    assert [row.key for row in learned] == [row.key for row in report.batch.rollouts]
    assert [len(row.entropies or ()) for row in learned] == [row.num_tokens for row in learned]


def test_a_sample_without_others_to_compare_with_has_no_advantage() -> None:
    found = rloo(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0, 1, 1]))
    assert found.tolist() == [0.0, 1.0, -1.0]


def test_what_is_learned() -> None:
    assert learned(some(), truncated="zero") == tuple(some())
    assert [row.sample_index for row in learned(some(), truncated="mask")] == [0, 2, 1]
