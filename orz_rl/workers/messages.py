"""What the controller sends to a model's processes and gets back. R response tokens of a pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from orz_rl.ppo.packed_forward import Pack

Role = Literal["policy", "critic", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Everything that a process needs to open its share of a model."""

    role: Role
    checkpoint: str
    seed: int
    dtype: str
    device: Literal["cpu", "cuda"]
    attention: str
    gradient_checkpointing: bool
    value_head_init: str
    zero_stage: int
    offload_optimizer: bool
    betas: tuple[float, float]
    weight_decay: float
    max_grad_norm: float
    temperature: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """The settings of the policy's loss."""

    clip_low: float
    clip_high: float
    kl_loss: float
    kl_estimator: Literal["k1", "k2", "k3"]
    importance_cap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPack:
    """A pack with what its loss needs. A weight of 0 takes a token out."""

    pack: Pack
    weights_R: Tensor
    advantages_R: Tensor
    sampler_logprobs_R: Tensor
    old_logprobs_R: Tensor | None
    """None where they are those of this very forward: the first update after sampling."""
    reference_logprobs_R: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticPack:
    """A pack with what the critic's loss needs."""

    pack: Pack
    weights_R: Tensor
    returns_R: Tensor
    old_values_R: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What one optimiser step did, on one rank; losses are this rank's share of a sum."""

    loss: float
    clipped: float
    grad_norm: float
    """Before clipping, of the whole model."""
    kl_loss: float = 0.0
    logprobs: list[Tensor]
    """Before the step, of the response tokens of each pack; of a critic the values."""
    entropies: list[Tensor]
    """Of the policy, likewise."""


@dataclass(frozen=True, slots=True)
class NonFinite:
    """An update that was stopped before its optimiser step: the first pack whose loss or gradient is not finite."""

    update: int
    """Which of the updates that were asked for."""
    pack: int | None
    """Of this rank; None where the fault is another rank's."""
    what: str
