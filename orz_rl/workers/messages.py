"""Records that the controller exchanges with the processes of a model. R: the response tokens of a pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from orz_rl.ppo.packed_forward import Pack

Role = Literal["policy", "critic", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The settings with which a process loads its share of a model."""

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

    objective: str = "ppo"
    """A name of orz_rl.ppo.parts.OBJECTIVES."""
    clip_low: float
    clip_high: float
    kl_loss: float
    kl_estimator: Literal["k1", "k2", "k3"]
    importance_cap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPack:
    """A pack with the inputs of the policy's loss. A token with weight 0 is ignored."""

    pack: Pack
    weights_R: Tensor
    advantages_R: Tensor
    sampler_logprobs_R: Tensor
    old_logprobs_R: Tensor | None
    """None in the first update after sampling: the forward pass of the update itself gives them."""
    reference_logprobs_R: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticPack:
    """A pack with the inputs of the critic's loss."""

    pack: Pack
    weights_R: Tensor
    returns_R: Tensor
    old_values_R: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Result of one optimiser step on one rank; losses are this rank's share of a sum."""

    loss: float
    clipped: float
    grad_norm: float
    """Of the whole model, before clipping."""
    kl_loss: float = 0.0
    logprobs: list[Tensor]
    """Before the step, for the response tokens of each pack; for a critic, their values."""
    entropies: list[Tensor]
    """For a policy, likewise."""


@dataclass(frozen=True, slots=True)
class NonFinite:
    """An update that was stopped before its optimiser step: the first pack whose loss or gradient is not finite."""

    update: int
    """Index of the update among those requested."""
    pack: int | None
    """Index on this rank; None if the fault is on another rank."""
    what: str
