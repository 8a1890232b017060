"""One rank of a model: the ZeRO stages and world sizes agree, state survives, nothing that is not finite is learned."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orz_bench.errors import EngineError
from orz_rl.ppo.packed_forward import Pack
from orz_rl.workers.messages import CriticPack, ModelSpec, NonFinite, PolicyPack, PolicyTerms, Update
from orz_rl.workers.ports import free_port
from tests.support.preloaded import FORKED
from tests.support.tiny_model import a_tiny_checkpoint

TERMS = PolicyTerms(clip_low=0.2, clip_high=0.2, kl_loss=0.0, kl_estimator="k3", importance_cap=None)
SEQUENCES = [([5, 6, 7], [8, 9, 10, 11]), ([12, 13], [14, 15]), ([12, 13], [17, 18, 19]), ([5, 6, 7], [22])]
NUM_TOKENS = sum(len(response) for _, response in SEQUENCES)


a_spec = ModelSpec.plain


def a_rank(spec: ModelSpec, *, rank: int = 0, num_ranks: int = 1, port: int | None = None) -> Any:
    from orz_bench.environment import set_library_defaults
    from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank

    set_library_defaults()
    os.environ.update(ENVIRONMENT)  # as an actor does
    return ModelRank(spec, rank=rank, num_ranks=num_ranks, rendezvous=f"tcp://127.0.0.1:{port or free_port()}")


def policy_pack(members: list[int], *, advantage: float | None = None, share_prompts: bool = True) -> PolicyPack:
    if share_prompts:
        members = sorted(members, key=lambda member: SEQUENCES[member][0])
        texts = [tuple(run) for run in _runs(members)]
    else:
        texts = [SEQUENCES[member] for member in members]
    count = sum(len(SEQUENCES[member][1]) for member in members)
    advantages = [
        advantage if advantage is not None else 1.0 - member for member in members for _ in SEQUENCES[member][1]
    ]
    return PolicyPack(
        pack=Pack.of(texts),
        weights_R=torch.full((count,), 1 / NUM_TOKENS),
        advantages_R=torch.tensor(advantages),
        sampler_logprobs_R=torch.zeros(count),
        old_logprobs_R=None,
        reference_logprobs_R=None,
    )


def _runs(members: list[int]) -> Iterator[list[list[int]]]:
    for prompt, run in groupby(members, key=lambda member: SEQUENCES[member][0]):
        yield [prompt, *(SEQUENCES[member][1] for member in run)]


def trained(rank: Any, packs: list[PolicyPack]) -> tuple[list[Update], dict[str, torch.Tensor]]:
    updates = [rank.update_policy([packs], lr=1e-3, terms=TERMS)[0] for _ in range(3)]
    assert rank._engine.module.get_output_embeddings().is_last, "the logits of whole packs were computed"
    return updates, {name: tensor.clone() for name, tensor in rank.weights()}


def two_ranks(rank: int, checkpoint: Path, port: int, stage: int, out: Path) -> None:
    packs = [policy_pack([0, 3]), policy_pack([1, 2])]
    updates, weights = trained(
        a_rank(a_spec(checkpoint, zero_stage=stage), rank=rank, num_ranks=2, port=port), [packs[rank]]
    )
    torch.save(([update.loss for update in updates], weights), out / f"{rank}.pt")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def one_rank(checkpoint: Path) -> tuple[list[Update], dict[str, torch.Tensor]]:
    """Three updates on one rank without sharding, and with the prompt of every response."""
    return trained(a_rank(a_spec(checkpoint)), [policy_pack([0, 1, 2, 3], share_prompts=False)])


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("packs", [[[0, 1, 2, 3]], [[2], [0, 3], [1]]])
def test_zero_stages_and_packs_give_the_same_losses_and_weights(
    checkpoint: Path, one_rank: tuple[list[Update], dict[str, torch.Tensor]], stage: int, packs: list[list[int]]
) -> None:
    updates, weights = trained(
        a_rank(a_spec(checkpoint, zero_stage=stage, gradient_checkpointing=True)),
        [policy_pack(p) for p in packs],
    )
    assert_same(updates, weights, one_rank)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clips_against_sampler": True},
        {"importance_cap": 1.1},
        {"importance_band": (0.8, 1.1)},
        {"importance_band": (0.8, 1.1), "importance_cap": 1.05},
        {"importance_band": (0.8, 1.1), "clips_against_sampler": True},
    ],
)
@pytest.mark.parametrize("has_old", [False, True])
def test_the_objective_for_samples_of_older_weights_is_its_formula(
    checkpoint: Path, changes: dict[str, Any], has_old: bool
) -> None:
    """Against the sampler; or decoupled: against the policy before the step, weighted by it over the sampler."""
    rank, draw = a_rank(a_spec(checkpoint)), np.random.default_rng(5)
    pack = policy_pack([0, 1, 2, 3])
    now = rank.logprobs([pack.pack])[0]
    sampler, old = (now + torch.from_numpy(0.3 * draw.standard_normal(NUM_TOKENS)).float() for _ in range(2))
    item = replace(pack, sampler_logprobs_R=sampler, old_logprobs_R=old if has_old else None)
    terms = replace(TERMS, **changes)
    (update,) = rank.update_policy([[item]], lr=1e-4, terms=terms)

    before = (old if has_old else now).double().numpy()
    ratio = np.exp(now.double().numpy() - (sampler.double().numpy() if terms.clips_against_sampler else before))
    weight, to_sampler = np.ones(NUM_TOKENS), np.exp(before - sampler.double().numpy())
    if not terms.clips_against_sampler and changes:
        weight = np.minimum(to_sampler, terms.importance_cap or np.inf)
    if terms.importance_band is not None:
        low, high = terms.importance_band
        weight = weight * ((to_sampler >= low) & (to_sampler <= high))
        assert 0 < np.count_nonzero(weight) < NUM_TOKENS
    advantages = pack.advantages_R.numpy()
    wanted = -(np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.2) * advantages) * weight).sum() / NUM_TOKENS
    assert update.loss == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("stage", [1, 3])
def test_an_optimiser_in_host_memory_learns_the_same(
    checkpoint: Path, one_rank: tuple[list[Update], dict[str, torch.Tensor]], stage: int
) -> None:
    rank = a_rank(a_spec(checkpoint, zero_stage=stage, offload_optimizer=True))
    updates, weights = trained(rank, [policy_pack([0, 1]), policy_pack([2, 3])])
    assert_same(updates, weights, one_rank)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_bfloat16_learns_what_float32_learns(
    checkpoint: Path, one_rank: tuple[list[Update], dict[str, torch.Tensor]], stage: int
) -> None:
    """With copies in float32 for the optimiser, so only the forward pass is coarser."""
    updates, weights = trained(
        a_rank(a_spec(checkpoint, zero_stage=stage, dtype="bfloat16")),
        [policy_pack([0, 1]), policy_pack([2, 3])],
    )
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    for update, other in zip(updates, one_rank[0], strict=True):
        assert update.loss == pytest.approx(other.loss, abs=0.02)
        assert update.grad_norm == pytest.approx(other.grad_norm, rel=0.05)


def assert_same(
    updates: list[Update],
    weights: dict[str, torch.Tensor],
    wanted: tuple[list[Update], dict[str, torch.Tensor]],
) -> None:
    for update, other in zip(updates, wanted[0], strict=True):
        assert update.loss == pytest.approx(other.loss, abs=1e-5)
        assert update.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)
    assert all(torch.allclose(weights[name], tensor, atol=2e-5) for name, tensor in wanted[1].items())


@pytest.mark.slow
@pytest.mark.parametrize("stage", [0, 2, 3])
def test_two_ranks_learn_what_one_learns(
    checkpoint: Path, one_rank: tuple[list[Update], dict[str, torch.Tensor]], stage: int, tmp_path: Path
) -> None:
    port = free_port()
    processes = [FORKED.Process(target=two_ranks, args=(rank, checkpoint, port, stage, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(1000)
        assert process.exitcode == 0
    (losses_0, weights), (losses_1, _) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for ours, theirs, wanted in zip(losses_0, losses_1, one_rank[0], strict=True):
        assert ours + theirs == pytest.approx(wanted.loss, abs=1e-5)
    assert all(torch.allclose(weights[name], tensor, atol=2e-5) for name, tensor in one_rank[1].items())


@pytest.mark.parametrize("stage", [0, 2])
def test_state_is_taken_up_bit_for_bit(checkpoint: Path, stage: int, tmp_path: Path) -> None:
    packs = [policy_pack([0, 1, 2, 3])]
    first = a_rank(a_spec(checkpoint, zero_stage=stage))
    trained(first, packs)
    first.save_state(tmp_path)
    _, wanted = trained(first, packs)
    second = a_rank(a_spec(checkpoint, zero_stage=stage))
    second.load_state(tmp_path)
    _, found = trained(second, packs)
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("stage", [0, 2, 3])
def test_a_policy_that_has_not_learned_yet_is_taken_up_bit_for_bit(
    checkpoint: Path, stage: int, tmp_path: Path
) -> None:
    """As while critic.warmup_steps lasts: its optimizer has no state."""
    packs = [policy_pack([0, 1, 2, 3])]
    first = a_rank(a_spec(checkpoint, zero_stage=stage))
    first.save_state(tmp_path)
    _, wanted = trained(first, packs)
    second = a_rank(a_spec(checkpoint, zero_stage=stage))
    second.load_state(tmp_path)
    _, found = trained(second, packs)
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_an_update_that_is_not_finite_changes_nothing_and_names_its_pack(checkpoint: Path) -> None:
    rank = a_rank(a_spec(checkpoint))
    before = {name: tensor.clone() for name, tensor in rank.weights()}
    packs = [policy_pack([0, 1]), policy_pack([2, 3], advantage=float("nan"))]
    outcome = rank.update_policy([packs], lr=1e-3, terms=TERMS)
    assert outcome == NonFinite(0, 1, "loss (nan)")
    assert all(torch.equal(tensor, before[name]) for name, tensor in rank.weights())


def test_a_model_whose_outputs_are_not_finite_is_told_before_anything_is_learned(checkpoint: Path) -> None:
    rank = a_rank(a_spec(checkpoint))
    with torch.no_grad():
        next(tensor for _, tensor in rank.weights())[7] = float("nan")
    with pytest.raises(EngineError, match="the policy is broken: its outputs are not finite"):
        rank.logprobs([Pack.of(SEQUENCES)])


def test_a_critic_learns_values_and_comes_back_from_disk(checkpoint: Path, tmp_path: Path) -> None:
    critic = a_rank(a_spec(checkpoint, role="critic"))
    pack = Pack.of(SEQUENCES)
    values = critic.values([pack])[0]
    item = CriticPack(
        pack=pack,
        weights_R=torch.full((NUM_TOKENS,), 1 / NUM_TOKENS),
        returns_R=torch.ones(NUM_TOKENS),
        old_values_R=values,
    )
    losses = [critic.update_critic([[item]], lr=1e-2, clip=None)[0].loss for _ in range(20)]
    assert losses[0] == pytest.approx(float(0.5 * ((values - 1) ** 2).mean()), rel=1e-5)
    assert losses[-1] < 0.1 * losses[0]
    critic.save_model(tmp_path)
    again = a_rank(a_spec(tmp_path, role="critic"))
    assert torch.allclose(again.values([pack])[0], critic.values([pack])[0], atol=1e-6)


def test_a_rank_starts_where_another_library_has_destroyed_the_world(checkpoint: Path) -> None:
    """As vLLM does in its process when an engine is closed."""
    import torch.distributed as dist

    a_rank(a_spec(checkpoint))
    dist.destroy_process_group()
    rank = a_rank(a_spec(checkpoint))
    assert len(rank.logprobs([Pack.of(SEQUENCES[:1])])) == 1


@pytest.mark.parametrize(("init", "bound"), [("zero", 0.0), ("paper", 5**0.5), ("code", 5 / 65)])
def test_value_heads_start_as_configured(checkpoint: Path, init: str, bound: float) -> None:
    critic = a_rank(a_spec(checkpoint, role="critic", value_head_init=init))
    head = dict(critic.weights())["classifier.score.weight"]
    assert float(head.abs().max()) <= bound
    assert (float(head.abs().max()) > 0) == (init != "zero")


@pytest.mark.parametrize("stage", [0, 1, 3])
def test_with_a_state_come_no_settings_of_the_run_that_saved_it(checkpoint: Path, stage: int, tmp_path: Path) -> None:
    """DeepSpeed and torch save them with the state; a branch may have others."""
    first = a_rank(a_spec(checkpoint, zero_stage=stage, weight_decay=0.5, max_grad_norm=0.25, betas=(0.5, 0.6)))
    trained(first, [policy_pack([0, 1])])
    first.save_state(tmp_path)
    spec = a_spec(checkpoint, zero_stage=stage)
    second = a_rank(spec)
    second.load_state(tmp_path)
    optimiser = second.engine.optimizer
    assert {(*group["betas"], group["weight_decay"]) for group in optimiser.param_groups} == {(*spec.betas, 0.0)}
    assert getattr(optimiser, "clip_grad", spec.max_grad_norm) == spec.max_grad_norm
