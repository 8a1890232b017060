"""An engine that was moved to the host and back learns bit for bit what one learns that stayed, at every ZeRO stage."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from orz_rl.workers.host_copies import id_of, tensors_of
from orz_rl.workers.messages import Role
from tests.support.tiny_model import a_tiny_checkpoint
from tests.unit.orz_rl.workers.test_model_rank import TERMS, a_rank, a_spec, policy_pack

SETTINGS = [
    (0, "float32", False),
    (1, "float32", True),
    (1, "bfloat16", False),
    (2, "bfloat16", False),
    (3, "float32", False),
    (3, "bfloat16", True),
]
"""ZeRO stage, type, whether the optimiser's state is in host memory anyway."""
PACKS = [policy_pack([0, 1]), policy_pack([2, 3])]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gc.collect()
    gc.freeze()  # every move collects garbage: not among all that earlier tests have left
    return a_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


def size_of(engine: Any) -> int:
    storages = {id_of(tensor.untyped_storage()): tensor.untyped_storage() for tensor in tensors_of(engine)}
    return sum(storage.nbytes() for storage in storages.values())


def a_rank_in_memory(spec: Any) -> Any:
    """On a CPU, weights as they were loaded are a mapped file, whose memory cannot be freed."""
    rank = a_rank(spec)
    for parameter in rank._engine.module.parameters():
        if not parameter.untyped_storage().resizable():
            parameter.data = parameter.data.clone()
    return rank


def learned(rank: Any, *, moves: bool) -> list[Any]:
    found: list[Any] = []
    for _ in range(2):
        (update,) = rank.update_policy([PACKS], lr=1e-3, terms=TERMS)
        if moves:
            before = size_of(rank._engine)
            freed = rank.offload()
            assert freed > 0.98 * before
            assert size_of(rank._engine) == before - freed
            assert all(p.untyped_storage().nbytes() == 0 for p in rank._engine.module.parameters())
            rank.reload()
            assert size_of(rank._engine) == before
        logprobs = torch.cat(rank.logprobs([pack.pack for pack in PACKS]))
        found.append((update.loss, update.grad_norm, logprobs.tolist()))
    return [*found, {name: tensor.clone() for name, tensor in rank.weights()}]


@pytest.mark.parametrize(("stage", "dtype", "offload_optimizer"), SETTINGS)
def test_what_was_on_the_host_learns_the_same(
    checkpoint: Path, stage: int, dtype: str, offload_optimizer: bool
) -> None:
    spec = a_spec(checkpoint, zero_stage=stage, dtype=dtype, offload_optimizer=offload_optimizer)
    *stayed, weights = learned(a_rank_in_memory(spec), moves=False)
    *moved, weights_after = learned(a_rank_in_memory(spec), moves=True)
    assert moved == stayed
    assert all(torch.equal(weights[name], weights_after[name]) for name in weights)


@pytest.mark.parametrize("stage", [0, 3])
@pytest.mark.parametrize("role", ["reference", "critic"])
def test_models_without_an_optimiser_and_critics_move_too(checkpoint: Path, stage: int, role: Role) -> None:
    rank = a_rank_in_memory(a_spec(checkpoint, zero_stage=stage, role=role))
    outputs = rank.values if role == "critic" else rank.logprobs
    before = outputs([pack.pack for pack in PACKS])
    for _ in range(2):
        assert rank.offload() > 0
        rank.reload()
    rank.reload()  # twice: nothing is on the host
    assert all(map(torch.equal, outputs([pack.pack for pack in PACKS]), before))


def test_state_is_saved_without_what_was_only_for_the_move(checkpoint: Path, tmp_path: Path) -> None:
    spec = a_spec(checkpoint, zero_stage=3)
    rank = a_rank_in_memory(spec)
    learned(rank, moves=True)
    rank.save_state(tmp_path)
    again = a_rank(spec)
    again.load_state(tmp_path)
    assert again.update_policy([PACKS], lr=1e-3, terms=TERMS) is not None
    rank.update_policy([PACKS], lr=1e-3, terms=TERMS)
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rank.weights(), again.weights(), strict=True))
