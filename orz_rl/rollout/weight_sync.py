"""How the policy's weights reach the engines: copied to host memory, which Ray's object store shares on each machine.

On GPUs this works without being fast; CUDA IPC and NCCL are not there yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class HostWeights:
    """Copies in host memory; numpy arrays, because Ray's object store holds those without copying."""

    arrays: tuple[tuple[str, np.ndarray[Any, Any], str], ...]
    """(name, the bytes as integers, torch's name of the type)."""

    @classmethod
    def of(cls, weights: Iterable[tuple[str, Tensor]]) -> HostWeights:
        """Copy every tensor."""
        return cls(tuple((name, _as_integers(tensor), str(tensor.dtype).split(".")[1]) for name, tensor in weights))

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Each tensor, on `device`."""
        for name, array, dtype in self.arrays:
            # Ray's arrays are read-only, which torch has no notion of: copy before anyone can write.
            yield name, torch.tensor(array).view(getattr(torch, dtype)).to(device)


def _as_integers(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The same bits in a type that numpy knows (it has no bfloat16)."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    array: np.ndarray[Any, Any] = tensor.detach().to("cpu", copy=True).contiguous().view(integer).numpy()
    return array
