"""Warm-up of the critic, and the likelihood of rewarded responses: on the real ranks, by the formulas themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from orz_bench.records.rollout import Rollout
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.packed_forward import Pack, response_logprobs
from orz_rl.ppo.parts import Estimate
from orz_rl.recipes.registry import resolve
from orz_rl.training.learner import Learner, Updates, estimated
from orz_rl.workers.cluster import Cluster
from orz_rl.workers.in_process import InProcessCluster
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.model_loading import load_model
from tests.support.builders import a_rollout_of_tokens
from tests.support.tiny_model import a_tiny_checkpoint

ROWS = [
    ([5, 6, 7], [8, 9, 10, 11], 1.0),
    ([12, 13], [14, 15], 0.0),
    ([12, 13], [17, 18, 19], 1.0),
    ([5, 6, 7], [22], 0.0),
    ([40], [41, 42], 0.5),
]
NUM_TOKENS = sum(len(answer) for _, answer, _ in ROWS)
NUM_POSITIVE = sum(len(answer) for _, answer, reward in ROWS if reward > 0)
SIZES = (
    "data.max_prompt_tokens=4",
    "rollout.max_tokens=8",
    "optim.max_grad_norm=1e9",
    "optim.policy_warmup_updates=0",
    "optim.critic_warmup_updates=0",
    "cluster.in_process=true",
)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("policy"))


def rows() -> list[Rollout]:
    return [
        a_rollout_of_tokens(prompt, answer, sample_index=index, logprobs=[-3.0] * len(answer), reward=reward)
        for index, (prompt, answer, reward) in enumerate(ROWS)
    ]


def a_learner(policy: Path, *overrides: str) -> Learner:
    from orz_bench.environment import set_library_defaults

    set_library_defaults()
    config = resolve("tiny", overrides=[*SIZES, *overrides])
    return Learner(config, cast("Cluster", InProcessCluster()), policy=str(policy), critic=str(policy))


def one_step(learner: Learner, *, step: int = 1) -> tuple[Updates, Estimate]:
    batch = Batch.of(rows())
    scores = learner.score(batch, step=step)
    target = estimated(batch, scores, config=learner._config)
    return learner.update(batch, scores, estimate=target, step=step), target


def weights_of(learner: Learner, name: str) -> dict[str, Tensor]:
    rank: Any = cast("Any", learner.groups[name])._rank
    return {key: tensor.clone() for key, tensor in rank.weights()}


@pytest.mark.parametrize("packs", ["2048", "12"])
def test_the_loss_of_rewarded_responses_is_its_formula(policy: Path, packs: str) -> None:
    """Loss and gradient, however the tokens are packed, against plain autograd on the same model."""
    coefficient = 0.25
    options = ("advantage.estimator=dr_grpo", f"loss.positive_nll={coefficient}", f"cluster.pack_tokens={packs}")
    updates, target = one_step(a_learner(policy, *options))

    model = load_model(ModelSpec.plain(policy))
    loss, nll = torch.zeros(()), torch.zeros(())
    for index, (prompt, answer, reward) in enumerate(ROWS):
        logprobs = response_logprobs(model, Pack.of([(prompt, answer)]), temperature=1.0)
        advantages = target.advantages_BT[index, : len(answer)]
        loss = loss - ((logprobs - logprobs.detach()).exp() * advantages).sum() / NUM_TOKENS
        if reward > 0:
            nll = nll - logprobs.sum() / NUM_POSITIVE
    (loss + coefficient * nll).backward()
    (update,) = updates.policy
    assert update.positive_nll == pytest.approx(float(nll.detach()), rel=1e-5)
    assert update.loss == pytest.approx(float((loss + coefficient * nll).detach()), rel=1e-5)
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    assert update.grad_norm == pytest.approx(float(norm), rel=1e-4)


def test_a_likelihood_of_coefficient_0_changes_no_bit(policy: Path) -> None:
    plain, explicit = a_learner(policy), a_learner(policy, "loss.positive_nll=0.0", "critic.warmup_steps=0")
    found = [one_step(learner)[0] for learner in (plain, explicit)]
    assert found[0].policy[0].loss == found[1].policy[0].loss
    assert found[0].policy[0].positive_nll == 0.0
    for name in ("policy", "critic"):
        ours, theirs = weights_of(plain, name), weights_of(explicit, name)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_while_the_critic_learns_alone_no_bit_of_the_policy_changes(policy: Path, tmp_path: Path) -> None:
    learner = a_learner(policy, "critic.warmup_steps=2", "optim.critic_updates=2", "optim.policy_updates=2")
    policy_before, critic_before = weights_of(learner, "policy"), weights_of(learner, "critic")
    engine = cast("Any", learner.groups["policy"])._rank.engine
    for step in (1, 2):
        updates, _ = one_step(learner, step=step)
        assert (updates.policy, updates.logprobs_BT, updates.entropy_BT) == ((), None, None)
        assert len(updates.critic) == 2
        assert updates.learning_rates[0] == 0.0
    assert all(torch.equal(tensor, policy_before[name]) for name, tensor in weights_of(learner, "policy").items())
    assert not engine.optimizer.state, "the optimizer of the policy has begun"
    learned = weights_of(learner, "critic")
    assert any(not torch.equal(tensor, critic_before[name]) for name, tensor in learned.items())

    for name, group in learner.groups.items():
        (tmp_path / name).mkdir()
        group.save_state(tmp_path / name).results()
    updates, _ = one_step(learner, step=3)
    assert len(updates.policy) == 2
    wanted = weights_of(learner, "policy")
    assert any(not torch.equal(tensor, policy_before[name]) for name, tensor in wanted.items())
    # A run that was stopped at the end of the warm-up goes on to the same weights.
    again = a_learner(policy, "critic.warmup_steps=2", "optim.critic_updates=2", "optim.policy_updates=2")
    for name, group in again.groups.items():
        group.load_state(tmp_path / name).results()
    one_step(again, step=3)
    for name in ("policy", "critic"):
        ours, theirs = weights_of(again, name), weights_of(learner, name)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name


def test_the_policys_rates_begin_after_the_warm_up() -> None:
    plain, waits = (resolve("tiny", overrides=["optim.final_lr=1e-5", f"num_steps={n}"]) for n in (40, 47))
    waits = waits.model_copy(update={"critic": waits.critic.model_copy(update={"warmup_steps": 7})})
    assert [waits.policy_rates(step) for step in range(8, 48)] == [plain.policy_rates(step) for step in range(1, 41)]
    assert [waits.policy_rates(step) for step in range(1, 8)] == [[]] * 7
    assert [waits.critic_rates(step) for step in range(1, 41)] == [plain.critic_rates(step) for step in range(1, 41)]
    assert [step for step in range(10) if waits.is_warmup(step)] == [1, 2, 3, 4, 5, 6, 7]
