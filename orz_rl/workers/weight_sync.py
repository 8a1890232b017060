"""Sources from which an engine reads the policy's weights; each can cross processes and yields every weight once.

HostWeights       copies in host memory, shared by the engines of a machine through Ray's object store
BroadcastWeights  rank 0 of the policy broadcasts to all engines at once: NCCL between GPUs, gloo between CPUs
IpcWeights        mapped memory of the policy rank on the engine's own device: CUDA IPC, or shared memory on a CPU

The last two move flat buckets of bytes with the same layout on both sides, so a whole model is never held twice. Their
code is tested on CPUs; it has never run on GPUs.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import torch
from torch import Tensor

BUCKET_BYTES = 2**28
TIMEOUT_S = 300.0
"""How long a sender or receiver waits for the other."""
_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """Position of one tensor in a bucket."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int

    @property
    def num_bytes(self) -> int:
        """Size of the tensor."""
        return math.prod(self.shape) * int(getattr(torch, self.dtype).itemsize)


Buckets = tuple[tuple[Entry, ...], ...]


def plan_buckets(
    weights: Iterable[tuple[str, tuple[int, ...], str]], *, max_bytes: int = BUCKET_BYTES
) -> tuple[tuple[Entry, ...], ...]:
    """Lay (name, shape, type) out in buckets of at most `max_bytes`; a larger tensor gets its own."""
    buckets: list[list[Entry]] = [[]]
    end = 0
    for name, shape, dtype in weights:
        entry = Entry(name, shape, dtype, end)
        if buckets[-1] and end + entry.num_bytes > max_bytes:
            buckets.append([])
            entry = Entry(name, shape, dtype, 0)
        buckets[-1].append(entry)
        end = -(-(entry.start + entry.num_bytes) // _ALIGNMENT) * _ALIGNMENT
    return tuple(map(tuple, buckets))


def fill_buckets(buckets: Buckets, weights: Iterable[tuple[str, Tensor]]) -> Iterator[Tensor]:
    """The bytes of each bucket in turn, on the device of its first tensor. Weights must come in the planned order."""
    stream = iter(weights)
    for entries in buckets:
        buffer: Tensor | None = None
        for entry in entries:
            name, tensor = next(stream)
            assert name == entry.name, (name, entry.name)
            if buffer is None:
                buffer = empty_bucket(entries, tensor.device)
            flat = tensor.detach().contiguous().flatten().view(torch.uint8)
            buffer[entry.start : entry.start + entry.num_bytes].copy_(flat)
        assert buffer is not None
        yield buffer
    for name, _ in stream:  # a collective ends only when every rank has reached its end
        raise AssertionError(name)


def empty_bucket(entries: Sequence[Entry], device: Any) -> Tensor:
    """A buffer for a bucket's bytes."""
    return torch.empty(entries[-1].start + entries[-1].num_bytes, dtype=torch.uint8, device=device)


def unpack_bucket(entries: Sequence[Entry], buffer: Tensor, *, device: Any) -> Iterator[tuple[str, Tensor]]:
    """Copies of a bucket's tensors: an engine may keep them until a layer is complete, and buffers are reused."""
    for entry in entries:
        flat = buffer[entry.start : entry.start + entry.num_bytes].view(getattr(torch, entry.dtype))
        yield entry.name, flat.view(entry.shape).to(device, copy=True)


@dataclass(frozen=True, slots=True)
class HostWeights:
    """Copies in host memory; numpy arrays, because Ray's object store holds those without copying."""

    arrays: tuple[tuple[str, np.ndarray[Any, Any], str], ...]
    """(name, the bytes as integers, torch's name of the type)."""

    @classmethod
    def of(cls, weights: Iterable[tuple[str, Tensor]]) -> HostWeights:
        """Copy every tensor."""
        return cls(tuple((name, _as_integers(tensor), type_name(tensor)) for name, tensor in weights))

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Each tensor, on `device`."""
        for name, array, dtype in self.arrays:
            # Ray's arrays are read-only, which torch does not know: copy before anything can write.
            yield name, torch.tensor(array).view(getattr(torch, dtype)).to(device)


@dataclass(frozen=True, slots=True)
class BroadcastWeights:
    """Address and layout with which an engine receives. Rank 0 is the policy; each worker of an engine has its own."""

    host: str
    port: int
    first_rank: int
    """Rank of this engine's first worker."""
    num_ranks: int
    buckets: Buckets

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Receive each bucket; runs in every worker of the engine."""
        group = _broadcast_group(self.host, self.port, rank=self.first_rank + _worker(), num_ranks=self.num_ranks)
        for entries in self.buckets:
            buffer = empty_bucket(entries, device)
            group.broadcast(buffer, 0).wait()
            yield from unpack_bucket(entries, buffer, device=device)

    def send(self, buffers: Iterable[Tensor]) -> None:
        """Send all buckets, as rank 0."""
        group = _broadcast_group(self.host, self.port, rank=0, num_ranks=self.num_ranks)
        for buffer in buffers:
            group.broadcast(buffer, 0).wait()
            _synchronise(buffer.device)


def _worker() -> int:
    """The number of this worker among those that share a model by tensor parallelism."""
    dist = torch.distributed
    return dist.get_rank() if dist.is_initialized() else 0


@lru_cache(maxsize=1)
def _broadcast_group(host: str, port: int, *, rank: int, num_ranks: int) -> Any:
    """A communicator outside torch's default world, which trainers and engines use themselves; kept between syncs."""
    timeout = timedelta(seconds=TIMEOUT_S)
    store = torch.distributed.TCPStore(host, port, is_master=False, timeout=timeout)
    if torch.cuda.is_available():
        options = torch.distributed.ProcessGroupNCCL.Options()
        options._timeout = timeout  # noqa: SLF001 - the only way to set it
        return torch.distributed.ProcessGroupNCCL(store, rank, num_ranks, options)
    return torch.distributed.ProcessGroupGloo(store, rank, num_ranks, timeout)


@dataclass(frozen=True, slots=True)
class IpcWeights:
    """The policy ranks on the engine's devices: Ray actors that hand out one bucket after another."""

    ranks: tuple[Any, ...]
    """One for each worker of the engine."""

    def tensors(self, device: Any) -> Iterator[tuple[str, Tensor]]:
        """Each tensor, copied out of the other process's memory before it fills the next bucket."""
        import ray

        rank = self.ranks[_worker()]
        while (handle := ray.get(rank.next_bucket.remote(), timeout=TIMEOUT_S)) is not None:
            # From another actor of this cluster, which we started; Ray itself transports pickles.
            entries, buffer = pickle.loads(handle)  # noqa: S301
            yield from unpack_bucket(entries, buffer, device=device)
            _synchronise(device)


def bucket_handle(entries: Sequence[Entry], buffer: Tensor) -> bytes:
    """A handle with which another process of this machine maps the bucket while this process keeps it."""
    from torch.multiprocessing import set_sharing_strategy

    if buffer.device.type == "cpu":
        set_sharing_strategy("file_system")  # the other strategy requires related processes
    _synchronise(buffer.device)
    return bytes(ForkingPickler.dumps((tuple(entries), buffer)))


def type_name(tensor: Tensor) -> str:
    """The dtype's name as an attribute of torch."""
    return str(tensor.dtype).split(".")[1]


def _synchronise(device: Any) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _as_integers(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The same bits in a type that numpy knows (it has no bfloat16)."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    array: np.ndarray[Any, Any] = tensor.detach().to("cpu", copy=True).contiguous().view(integer).numpy()
    return array
