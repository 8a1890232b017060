"""Records that the controller exchanges with the processes of a model. R: the response tokens of a pack.

Tensors of a pack are slices of a buffer of the whole update. Only the slice is sent: a tensor would send its buffer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from orz_rl.ppo.packs import Pack, PackSlice

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
    head_float32: bool = False
    """Multiply the output layer in float32."""

    @classmethod
    def plain(cls, checkpoint: str | Path, role: Role = "policy", **changes: Any) -> ModelSpec:
        """A model on one rank on the CPU in float32, without anything that saves memory, unless changed."""
        spec = cls(
            role=role,
            checkpoint=str(checkpoint),
            seed=0,
            dtype="float32",
            device="cpu",
            attention="packed_sdpa",
            gradient_checkpointing=False,
            value_head_init="code",
            zero_stage=0,
            offload_optimizer=False,
            betas=(0.9, 0.95),
            weight_decay=0.0,
            max_grad_norm=1.0,
            temperature=1.0,
        )
        return replace(spec, **changes)


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
    importance_band: tuple[float, float] | None = None
    clips_against_sampler: bool = False
    """Whether the ratio is that to the sampler's probabilities, otherwise to those of the policy before the step."""
    positive_nll: float = 0.0
    """Coefficient of the negative log-likelihood of rewarded responses."""


class _Slices:
    """Sends arrays for tensors."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return _received, (
            type(self),
            {name: value.numpy() if isinstance(value, Tensor) else value for name, value in values.items()},
        )


def _received(kind: type[Any], values: dict[str, Any]) -> Any:
    tensors = {name: torch.tensor(value) for name, value in values.items() if isinstance(value, np.ndarray)}
    return kind(**values | tensors)  # copies: what Ray hands over is read-only


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPack(_Slices):
    """A pack with the inputs of the policy's loss. A token with weight 0 is ignored."""

    pack: Pack | PackSlice
    weights_R: Tensor
    advantages_R: Tensor
    sampler_logprobs_R: Tensor
    old_logprobs_R: Tensor | None
    """Of the policy before the step. None in its first update: the forward pass of the update itself gives them."""
    reference_logprobs_R: Tensor | None
    teacher_RT: Tensor | None = None
    """A teacher's most probable tokens (TopTokens.packed()), whose probabilities are learned."""
    positive_R: Tensor | None = None
    """Weights of the tokens of rewarded responses in their negative log-likelihood; None without that term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticPack(_Slices):
    """A pack with the inputs of the critic's loss."""

    pack: Pack | PackSlice
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
    positive_nll: float = 0.0
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
