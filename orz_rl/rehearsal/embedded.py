"""The embedded model and packs of it, for all rows: real weights, real sequences, small enough for any machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch

from orz_rl.assets.resolve import TINY
from orz_rl.ppo.packs import Pack
from orz_rl.workers.messages import ModelSpec, PolicyPack, PolicyTerms

if TYPE_CHECKING:
    from orz_rl.workers.model_rank import ModelRank

TERMS = PolicyTerms(clip_low=0.2, clip_high=0.2, kl_loss=0.0, kl_estimator="k2", importance_cap=None)
_LENGTHS = ((12, 40), (30, 7), (5, 90), (20, 61))
"""Prompt and response tokens of the sequences."""


def a_spec(device: Literal["cpu", "cuda"], **changes: Any) -> ModelSpec:
    """The policy in float32 on one rank, unless changed."""
    return ModelSpec.plain(TINY, device=device, **changes)


def open_rank(spec: ModelSpec) -> ModelRank:
    """A rank alone in this process, with memory of its own: weights from a file are mapped where they can be."""
    import os

    from orz_bench.environment import set_library_defaults
    from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank
    from orz_rl.workers.ports import free_port

    set_library_defaults()
    os.environ.update(ENVIRONMENT)
    rank = ModelRank(spec, rank=0, num_ranks=1, rendezvous=f"tcp://127.0.0.1:{free_port()}")
    for _, parameter in rank.parameters():
        if not parameter.untyped_storage().resizable():
            parameter.data = parameter.data.clone()
    return rank


def policy_packs() -> list[PolicyPack]:
    """Two packs of two sequences each, with advantages of both signs."""
    generator = torch.Generator().manual_seed(7)
    sequences = [
        tuple(torch.randint(3, 90, (count,), generator=generator).tolist() for count in lengths) for lengths in _LENGTHS
    ]
    return [policy_pack(sequences[:2], generator), policy_pack(sequences[2:], generator)]


def policy_pack(sequences: Sequence[Any], generator: torch.Generator) -> PolicyPack:
    """A pack of (prompt, response) with random advantages."""
    count = sum(len(response) for _, response in sequences)
    return PolicyPack(
        pack=Pack.of(sequences),
        weights_R=torch.full((count,), 1 / 200),
        advantages_R=torch.randn(count, generator=generator),
        sampler_logprobs_R=torch.zeros(count),
        old_logprobs_R=None,
        reference_logprobs_R=None,
    )


def largest_difference(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> float:
    """Of any element; infinite if one is not a number."""
    found = max(float((a.float() - b.float()).abs().max()) for a, b in zip(first, second, strict=True))
    return found if math.isfinite(found) else math.inf
