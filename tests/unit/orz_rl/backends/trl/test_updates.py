"""One update of TRL's trainers against the native learner's, and against a plain loop: same weights, same rollouts.

The policy is moved away from the reference first, so that a KL term has a gradient. Gradients are read from AdamW's
first moment, which after one step is a tenth of the gradient: the step itself hides its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.ppo.advantages import group_centred, rloo, spread_over_tokens
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.losses import policy_loss, token_weights
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import StepRollouts
from orz_rl.rollout.problems import problems_at
from orz_rl.training.learner import Learner, estimated
from orz_rl.training.preparation import Setup, prepare
from orz_rl.workers.in_process import InProcessCluster

SMALL = (
    "cluster.in_process=true",
    "rollout.engine=transformers",
    "rollout.num_problems=3",
    "rollout.num_samples=4",
    "rollout.max_tokens=40",
    "data.limit=8",
    "eval.benchmarks=",
    "cluster.pack_tokens=400",
    "optim.policy_warmup_updates=0",
    "optim.max_grad_norm=1000",
    "logging.tensorboard=false",
)
CASES = {
    "dr_grpo, by token": ("advantage.estimator=dr_grpo",),
    "dr_grpo, by response": ("advantage.estimator=dr_grpo", "loss.normalisation=sequence"),
    "dr_grpo, by the limit": ("advantage.estimator=dr_grpo", "loss.normalisation=constant"),
    "dr_grpo, clipped norm": ("advantage.estimator=dr_grpo", "optim.max_grad_norm=0.01"),
    "dr_grpo at another temperature": ("advantage.estimator=dr_grpo", "rollout.temperature=0.6"),
    "dr_grpo with a KL term": ("advantage.estimator=dr_grpo", "loss.kl_loss=0.5", "loss.kl_estimator=k3"),
    "rloo, by token": ("advantage.estimator=rloo",),
    "rloo, by the limit": ("advantage.estimator=rloo", "loss.normalisation=constant"),
    "rloo with KL in the rewards": (
        "advantage.estimator=rloo",
        "loss.normalisation=constant",
        "loss.kl_penalty=0.5",
    ),
    "grpo, by token": ("advantage.estimator=grpo",),
}
ALWAYS = ("dr_grpo with a KL term", "rloo with KL in the rewards", "grpo, by token")
"""Also by `make test`."""


def a_setup(folder: Path, *overrides: str) -> Setup:
    config = resolve("tiny", overrides=[*SMALL, *overrides])
    return prepare(config, out=folder, data=(), notice=lambda _: None, extra="trl")


def some_rollouts(setup: Setup) -> tuple[Rollout, ...]:
    """Of random tokens and lengths, with rewards that differ within each group."""
    generator = torch.Generator().manual_seed(5)
    config, found = setup.config, []
    prompts, count = setup.prompts.prompts, config.rollout.num_problems
    for number, place in enumerate(problems_at(len(prompts), start=0, count=count, seed=config.seed)):
        for sample in range(config.rollout.num_samples):
            length = int(torch.randint(2, 39, (1,), generator=generator))
            ids = torch.randint(3, 60, (length,), generator=generator).tolist()
            found.append(
                a_rollout_of(
                    prompts[place], sample, token_ids=tuple(ids), reward=float((number + sample * sample) % 3 == 1)
                )
            )
    return tuple(found)


def a_rollout_of(prompt: Any, sample: int, *, token_ids: tuple[int, ...], reward: float) -> Rollout:
    from tests.support.builders import a_rollout

    return replace(
        a_rollout(sample_index=sample, num_tokens=len(token_ids), token_ids=token_ids, reward=reward),
        problem_id=prompt.problem.problem_id,
        prompt=prompt.text,
        prompt_token_ids=prompt.token_ids,
        logprobs=(-1.0,) * len(token_ids),
        policy_version=0,
    )


def moved(model: Any) -> Any:
    """The same model with other weights."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model


def moments(model: Any, optimizer: Any) -> dict[str, Tensor]:
    """The first moment of every weight."""
    inner = getattr(optimizer, "optimizer", optimizer)
    return {name: inner.state[parameter]["exp_avg"].clone() for name, parameter in model.named_parameters()}


class NotFiniteError(Exception):
    """Of this file's steps."""


def by_trl(setup: Setup, rollouts: tuple[Rollout, ...], *, change: Callable[[Any], Any] = moved) -> Any:
    """(first moments, trace) after the updates of one step by TRL's trainer."""
    from orz_rl.backends.trl.run import open_trl
    from orz_rl.backends.trl.trace import Trace

    class OneStep:
        """Hands out the rollouts, once."""

        def __init__(self) -> None:
            self.trace = Trace(setup.config, 1, StepRollouts(rollouts, 0, 0, 0))

        def begun(self) -> None:
            change(trainer.model)

        def sampled(self, problems: Sequence[int]) -> Trace:
            wanted = [setup.prompts.prompts[index].problem.problem_id for index in problems]
            assert len(wanted) == setup.config.rollout.num_problems
            return self.trace

        def updated(self, trace: Trace) -> None:
            if len(trace.updates) == setup.config.optim.policy_updates:
                trainer.control.should_training_stop = True

        def not_finite(self, trace: Trace) -> Exception:
            return NotFiniteError(trace.members)

    trainer = open_trl(setup)
    trainer.steps = steps = OneStep()
    trainer.train()
    return moments(trainer.model, trainer.optimizer), steps.trace


def by_us(config: TrainConfig, setup: Setup, rollouts: tuple[Rollout, ...]) -> Any:
    """(first moments, updates) after one step of the native learner."""
    cluster = InProcessCluster()
    learner = Learner(config, cluster, policy=setup.policy, critic=setup.critic)
    engine = learner._policy._rank._engine  # type: ignore[attr-defined]  # in process, it is there
    moved(engine.module)
    batch = Batch.of(rollouts)
    scores = learner.score(batch)
    target = estimated(batch, scores, config=config)
    updates = learner.update(batch, scores, estimate=target, step=1)
    return moments(engine.module, engine.optimizer), updates, target


def distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Largest difference of a weight's gradient, relative to the largest entry of it."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max() / b[name].abs().max()) for name in a)


@pytest.mark.parametrize(
    "case", [case if case in ALWAYS else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_an_update_is_the_native_one(case: str, tmp_path: Path) -> None:
    setup = a_setup(tmp_path, *CASES[case])
    rollouts = some_rollouts(setup)
    found, trace = by_trl(setup, rollouts)
    wanted, updates, estimated = by_us(setup.config, setup, rollouts)
    # TRL adds 1e-4 to the deviation of a group, which is at least 0.5 here.
    tolerance = 3e-4 if setup.config.advantage.estimator == "grpo" else 2e-5
    print(case, distance(found, wanted))
    assert distance(found, wanted) < tolerance
    report = trace.report()
    torch.testing.assert_close(report.updates.logprobs_BT, updates.logprobs_BT, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(report.updates.entropy_BT, updates.entropy_BT, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(report.estimate.advantages_BT, estimated.raw_advantages_BT, atol=1e-5, rtol=tolerance)
    ours, theirs = updates.policy[0], report.updates.policy[0]
    assert theirs.grad_norm == pytest.approx(ours.grad_norm, rel=tolerance)
    assert theirs.kl_loss == pytest.approx(ours.kl_loss, rel=1e-4)
    assert theirs.clipped == ours.clipped == 0
    assert report.updates.learning_rates[0] == updates.learning_rates[0]
    if "rloo" not in case:  # whose objective does not have the length of a response as a factor
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("estimator", ["dr_grpo", "rloo"])
def test_several_updates_are_those_of_a_plain_loop(estimator: str, tmp_path: Path) -> None:
    """In the order in which TRL deals the rollouts; with rates at which ratios leave the clip range."""
    overrides = (f"advantage.estimator={estimator}", "loss.normalisation=constant", "optim.policy_updates=3")
    setup = a_setup(tmp_path, *overrides, "optim.policy_lr=3e-3", "loss.clip_low=0.1", "loss.clip_high=0.3")
    rollouts = some_rollouts(setup)
    found, trace = by_trl(setup, rollouts)
    print(estimator, distance(found, plain_loop(setup, rollouts, trace.dealt)))
    assert distance(found, plain_loop(setup, rollouts, trace.dealt)) < 1e-3
    assert any(update.clipped > 0 for update in trace.updates[1:])
    assert trace.updates[0].clipped == 0


def test_gradients_that_are_not_finite_make_no_step(tmp_path: Path) -> None:
    """TRL would go on with NaN in every weight. The rollouts of the update are named."""
    setup = a_setup(tmp_path, "advantage.estimator=dr_grpo")
    models = []

    def broken(model: Any) -> None:
        models.append(model)
        model.lm_head.weight.register_hook(lambda gradient: gradient * float("nan"))

    with pytest.raises(NotFiniteError) as caught:
        by_trl(setup, some_rollouts(setup), change=broken)
    assert sorted(caught.value.args[0]) == list(range(setup.config.num_rollouts))
    assert all(bool(torch.isfinite(parameter).all()) for parameter in models[0].parameters())


def plain_loop(setup: Setup, rollouts: tuple[Rollout, ...], dealt: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """One response at a time, with torch alone; the first moments after all updates."""
    from transformers import AutoModelForCausalLM

    config, batch = setup.config, Batch.of(rollouts)
    model = moved(AutoModelForCausalLM.from_pretrained(setup.policy, dtype=torch.float32).eval())
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.optim.policy_lr, betas=config.optim.betas, weight_decay=0
    )
    is_rloo = config.advantage.estimator == "rloo"
    by_rollout = (rloo if is_rloo else group_centred)(batch.rewards_B, batch.group_B)
    advantages = spread_over_tokens(by_rollout, batch.mask_BT)
    with torch.no_grad():
        old = [logprobs_of(model, row) for row in rollouts]
    limit = config.rollout.max_tokens
    for members in dealt:
        optimizer.zero_grad()
        for member in members:
            new, before = logprobs_of(model, rollouts[member]), old[member]
            advantage = advantages[member, : len(new)]
            if is_rloo:
                new, before, advantage = new.sum(), before.sum(), advantage[0]
            weight = token_weights(batch.lengths_B[list(members)], "constant", constant=limit)[0].float()
            policy_loss(
                new, before, advantages_N=advantage, weights_N=weight, clip_low=0.1, clip_high=0.3
            ).loss.backward()
        optimizer.step()
    return moments(model, optimizer)


def logprobs_of(model: Any, row: Rollout) -> Tensor:
    prompt, response = list(row.prompt_token_ids or ()), list(row.token_ids or ())
    logits = model(torch.tensor([prompt + response]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(response)[:, None])[:, 0]


def test_a_model_with_absolute_positions_is_refused() -> None:
    """TRL pads prompts on the left; its log-probabilities of such a model would not be those of the engine."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from orz_rl.backends.trl.run import require_padding

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=64, n_embd=32, n_layer=2, n_head=2)).eval()
    with torch.no_grad():
        model.transformer.wpe.weight.mul_(20)
    with pytest.raises(ConfigError, match="gpt2: TRL pads prompts on the left without positions"):
        require_padding(model, checkpoint="gpt2")
