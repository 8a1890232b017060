"""How far, where and in how many directions weights moved between two checkpoints. Formulas: docs/weights.md."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.weights.tensors import Array, TensorPair, read_tensor, tensor_pairs

TOLERANCE = 1e-5
"""Below it a weight counts as unmoved in arXiv 2505.11711."""
LARGEST_RANK = 4_096
"""The rank of a matrix with a longer shorter side is not computed: its decomposition takes minutes."""
_MOST_DIRECTIONS = 0.99
_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Of the difference of one matrix."""

    full: int
    """The shorter side."""
    numerical: int
    """Singular values above max(shape) * eps of float32 * the largest."""
    effective: float
    """exp of the entropy of s^2 / sum s^2 (Roy and Vetterli 2007)."""
    for_99: int
    """Directions that hold 99 % of the squared norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One tensor."""

    name: str
    kind: str
    """The name without the layer's number and the ends that all share."""
    layer: int | None
    shape: tuple[int, ...]
    num: int
    num_changed: int
    """Weights that differ at all."""
    num_beyond: int
    """Weights that differ by more than the tolerance."""
    norm: float
    """Frobenius norm of the difference."""
    relative: float | None
    """That over the norm of A's tensor; None for one of zeros."""
    largest: float
    """The largest difference of a weight."""
    rank: Rank | None
    """None for vectors, for a difference of zeros, and for a matrix too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Tensors of one kind, or all of them."""

    kind: str
    num_tensors: int
    num: int
    changed: float
    """Share of the weights."""
    beyond: float
    """Share of the weights that moved by more than the tolerance."""
    norm: float
    relative: float | None
    effective: float | None
    """Mean of effective rank over full rank, of those that have one."""
    for_99: float | None
    """Mean of directions for 99 % over full rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedWeights:
    """Two checkpoints."""

    a: str
    b: str
    tolerance: float
    types: tuple[str, ...]
    """Types of the stored numbers; several if the checkpoints differ."""
    all: Together
    kinds: tuple[Together, ...]
    tensors: tuple[Moved, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def moved_weights(
    a: Path, b: Path, *, names: tuple[str, str], tolerance: float = TOLERANCE, largest_rank: int = LARGEST_RANK
) -> MovedWeights:
    """Every tensor of both; two are in memory at a time. DataError for checkpoints of different shapes."""
    pairs = tensor_pairs(a, b)
    found = [_moved(pair, tolerance=tolerance, largest_rank=largest_rank) for pair in pairs]
    kinds: dict[str, list[tuple[Moved, float]]] = defaultdict(list)
    for each, square in found:
        kinds[each.kind].append((each, square))
    return MovedWeights(
        a=names[0],
        b=names[1],
        tolerance=tolerance,
        types=tuple(sorted({side.dtype for pair in pairs for side in (pair.a, pair.b)})),
        all=_together("all", found),
        kinds=tuple(_together(kind, rows) for kind, rows in kinds.items()),
        tensors=tuple(each for each, _ in found),
    )


def _moved(pair: TensorPair, *, tolerance: float, largest_rank: int) -> tuple[Moved, float]:
    """The tensor, and the squared norm of A's."""
    before = read_tensor(pair.a)
    square = float(np.square(before, dtype=np.float64).sum())
    delta = read_tensor(pair.b) - before
    norm = math.sqrt(float(np.square(delta, dtype=np.float64).sum()))
    sizes = np.abs(delta)
    layer = _LAYER.search(pair.name)
    moved = Moved(
        name=pair.name,
        kind=_kind_of(pair.name),
        layer=int(layer[1]) if layer else None,
        shape=pair.a.shape,
        num=delta.size,
        num_changed=int(np.count_nonzero(delta)),
        num_beyond=int(np.count_nonzero(sizes > tolerance)),
        norm=norm,
        relative=norm / math.sqrt(square) if square > 0 else None,
        largest=float(sizes.max(initial=0.0)),
        rank=_rank_of(delta) if norm > 0 and delta.ndim == 2 and min(delta.shape) <= largest_rank else None,
    )
    return moved, square


def _kind_of(name: str) -> str:
    """`model.layers.3.mlp.up_proj.weight` is `mlp.up_proj`."""
    behind = _LAYER.split(name, maxsplit=1)[-1]
    return behind.removeprefix("model.").removesuffix(".weight")


def _rank_of(delta: Array) -> Rank:
    values = np.linalg.svd(delta.astype(np.float64), compute_uv=False)
    energy = values**2 / float((values**2).sum())
    known = energy[energy > 0]
    floor = max(delta.shape) * float(np.finfo(np.float32).eps) * float(values[0])
    return Rank(
        full=len(values),
        numerical=int((values > floor).sum()),
        effective=float(np.exp(-(known * np.log(known)).sum())),
        for_99=int(np.searchsorted(np.cumsum(energy), _MOST_DIRECTIONS) + 1),
    )


def _together(kind: str, rows: Sequence[tuple[Moved, float]]) -> Together:
    tensors = [each for each, _ in rows]
    num, square = sum(each.num for each in tensors), sum(square for _, square in rows)
    norm = math.sqrt(sum(each.norm**2 for each in tensors))
    ranks = [each.rank for each in tensors if each.rank is not None]
    return Together(
        kind=kind,
        num_tensors=len(tensors),
        num=num,
        changed=sum(each.num_changed for each in tensors) / max(num, 1),
        beyond=sum(each.num_beyond for each in tensors) / max(num, 1),
        norm=norm,
        relative=norm / math.sqrt(square) if square > 0 else None,
        effective=float(np.mean([rank.effective / rank.full for rank in ranks])) if ranks else None,
        for_99=float(np.mean([rank.for_99 / rank.full for rank in ranks])) if ranks else None,
    )
