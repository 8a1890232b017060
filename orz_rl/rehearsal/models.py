"""Rows about the models: packed attention, ZeRO, and the way to the host and back."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from orz_rl.rehearsal.embedded import TERMS, a_spec, largest_difference, open_rank, policy_packs
from orz_rl.rehearsal.rows import Check, Device, ImpossibleError, MismatchError
from orz_rl.workers.host_copies import id_of, tensors_of
from orz_rl.workers.messages import NonFinite

if TYPE_CHECKING:
    from orz_rl.workers.model_rank import ModelRank

_LONGEST = 512
_EXACT = {"cpu": 1e-5, "cuda": 2e-4}
"""Largest difference of weights and losses between ZeRO stages in float32; a GPU sums in another order."""
_NATS = 0.05
"""Mean difference of log-probabilities in bfloat16 between two attention kernels."""
_HELD = 0.95
"""Share of an engine's memory that has to become free."""


def checks(device: Device, _folder: Path) -> Iterator[Check]:
    """In the order of the table."""
    yield Check("packed_sdpa = unpacked", lambda: _packed(device), "another version of torch or transformers")
    yield Check("flash attention = packed_sdpa", lambda: _flash(device), "model.attention=packed_sdpa")
    yield Check(
        "ZeRO 1 to 3, offload: same update",
        lambda: _same_updates(device),
        "a stage that is not named here (cluster.zero_stage), cluster.offload_optimizer=false",
    )
    yield Check(
        "models leave the device and return",
        lambda: _offload(device),
        "cluster.colocate=false, so that models and engines have devices of their own",
    )


def _packed(device: Device) -> str:
    for dtype, stage in (("float32", 0), ("bfloat16", 1)):
        open_rank(a_spec(device, dtype=dtype, zero_stage=stage)).check_packs(max_tokens=_LONGEST, share_prompts=True)
    return "in float32 to 0.001 nats, in bfloat16 to 0.25"


def _flash(device: Device) -> str:
    if device == "cpu":
        raise ImpossibleError("needs a GPU")
    if find_spec("flash_attn") is None:
        raise ImpossibleError("flash-attn is not installed; model.attention=packed_sdpa needs nothing")
    packs = [item.pack for item in policy_packs()]
    found: dict[str, Tensor] = {}
    for attention in ("packed_sdpa", "flash_attention_2"):
        rank = open_rank(a_spec(device, dtype="bfloat16", zero_stage=1, attention=attention))
        rank.check_packs(max_tokens=_LONGEST, share_prompts=True)
        found[attention] = torch.cat(rank.logprobs(packs))
    difference = float((found["packed_sdpa"] - found["flash_attention_2"]).abs().mean())
    if not difference <= _NATS:
        raise MismatchError(f"log-probabilities differ by {difference:.3f} nats in the mean, at most {_NATS:g} wanted")
    return f"{difference:.4f} nats apart in the mean, bfloat16"


def _updated(device: Device, *, stage: int, offload: bool) -> tuple[list[float], dict[str, Tensor]]:
    rank = open_rank(a_spec(device, zero_stage=stage, offload_optimizer=offload))
    losses = [_loss(rank) for _ in range(2)]
    return losses, {name: tensor.detach().cpu().clone() for name, tensor in rank.weights()}


def _loss(rank: ModelRank) -> float:
    """Of an update, which changes the weights."""
    updates = rank.update_policy([policy_packs()], lr=1e-3, terms=TERMS)
    if isinstance(updates, NonFinite):
        raise MismatchError(f"the {updates.what} of an update is not finite")
    return updates[0].loss


def _same_updates(device: Device) -> str:
    losses, weights = _updated(device, stage=0, offload=False)
    worst, faults = 0.0, []
    for stage in (1, 2, 3):
        for offload in (False, True):
            own_losses, own = _updated(device, stage=stage, offload=offload)
            by_loss = max(abs(a - b) for a, b in zip(losses, own_losses, strict=True))
            difference = max(by_loss, largest_difference([*weights.values()], [own[name] for name in weights]))
            worst = max(worst, difference)
            if not difference <= _EXACT[device]:
                faults.append(f"stage {stage}{', offloaded' if offload else ''}: {difference:.2g}")
    if faults:
        raise MismatchError(f"differs from stage 0 by more than {_EXACT[device]:g}: {'; '.join(faults)}")
    return f"two updates, float32, one rank: {worst:.1g} apart at most"


def _offload(device: Device) -> str:
    """Stage 3 in bfloat16, as all published recipes."""
    rank = open_rank(a_spec(device, dtype="bfloat16", zero_stage=3))
    rank.update_policy([policy_packs()], lr=1e-3, terms=TERMS)
    packs = [item.pack for item in policy_packs()]
    before, held = rank.logprobs(packs), _held(rank, device)
    said = rank.offload()
    freed = held - _held(rank, device)
    rank.reload()
    back = _held(rank, device)
    if freed < _HELD * said or said < _HELD * held:
        raise MismatchError(f"{freed / 2**20:.2f} of {held / 2**20:.2f} MiB became free, {said / 2**20:.2f} were said")
    if not all(map(torch.equal, rank.logprobs(packs), before)):
        raise MismatchError("outputs are not the same after the return")
    return f"{freed / 2**20:.2f} of {held / 2**20:.2f} MiB became free, {back / 2**20:.2f} afterwards; same outputs"


def _held(rank: Any, device: Device) -> int:
    if device == "cuda":
        torch.cuda.synchronize()
        return int(torch.cuda.memory_allocated())
    storages = {id_of(tensor.untyped_storage()): tensor.untyped_storage() for tensor in tensors_of(rank.engine)}
    return sum(int(storage.nbytes()) for storage in storages.values())
