"""How the policy's weights reach the engines: three ways, each a source that an engine reads tensors from.

HostWeights    through host memory: the process's own, or Ray's object store, shared by the engines of a machine
IpcWeights     colocated on GPUs: handles to memory of the same device (CUDA IPC); never run
NcclWeights    separate GPUs: rank 0 of the policy broadcasts tensor by tensor over NCCL; never run
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


@dataclass(frozen=True, slots=True)
class IpcWeights:
    """Handles to tensors that another process keeps alive on the same GPU. Never run."""

    handles: tuple[tuple[str, Any, Any], ...]
    """(name, function, arguments) as torch.multiprocessing reduces a CUDA tensor."""

    @classmethod
    def of(cls, tensors: Iterable[tuple[str, Tensor]]) -> IpcWeights:
        """The sender keeps the tensors until the engine has read them."""
        from torch.multiprocessing.reductions import reduce_tensor

        return cls(tuple((name, *reduce_tensor(tensor)) for name, tensor in tensors))

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Each tensor, still in the sender's memory."""
        for name, rebuild, arguments in self.handles:
            yield name, rebuild(*arguments)


@dataclass(frozen=True, slots=True)
class NcclWeights:
    """A broadcast that every worker of every engine joins when it reads. Never run."""

    host: str
    port: int
    first_rank: int
    """Of this engine's first worker; the sender is rank 0."""
    num_ranks: int
    shapes: tuple[tuple[str, tuple[int, ...], str], ...]

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Receive each tensor in turn."""
        from vllm.distributed import get_tensor_model_parallel_rank

        group = nccl_group(
            self.host, self.port, rank=self.first_rank + get_tensor_model_parallel_rank(), num_ranks=self.num_ranks
        )
        for name, shape, dtype in self.shapes:
            tensor = torch.empty(shape, dtype=getattr(torch, dtype), device=device)
            group.broadcast(tensor, src=0)
            yield name, tensor

    def send(self, weights: Iterable[tuple[str, Tensor]]) -> None:
        """Rank 0's side: the same tensors in the same order."""
        group = nccl_group(self.host, self.port, rank=0, num_ranks=self.num_ranks)
        for _, tensor in weights:
            group.broadcast(tensor.contiguous(), src=0)


def nccl_group(host: str, port: int, *, rank: int, num_ranks: int) -> Any:
    """A NCCL communicator outside torch's world: engines and trainers have worlds of their own."""
    from vllm.distributed.device_communicators.pynccl import PyNcclCommunicator
    from vllm.distributed.utils import StatelessProcessGroup

    group = StatelessProcessGroup.create(host=host, port=port, rank=rank, world_size=num_ranks)
    return PyNcclCommunicator(group, device=torch.cuda.current_device())


def _as_integers(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The same bits in a type that numpy knows (it has no bfloat16)."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    array: np.ndarray[Any, Any] = tensor.detach().to("cpu", copy=True).contiguous().view(integer).numpy()
    return array
