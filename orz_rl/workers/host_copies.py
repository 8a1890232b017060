"""Moves everything that an engine holds on its device to host memory, and back into new device memory.

By storages: a storage is copied and then emptied, so every tensor and every view of it stays the same object, whichever
ZeRO stage, optimiser or wrapper owns it. DeepSpeed's own offload_states refuses torch.optim.AdamW at stage 3, and
engines that have no optimiser, or no ZeRO optimiser.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

_OWNERS = ("deepspeed.", "torch.optim.")
"""Modules of the objects whose attributes are searched."""


class HostCopies:
    """The host's side of one engine; its buffers are kept for the next time."""

    def __init__(self, engine: Any, device: torch.device) -> None:
        self._engine, self._device = engine, device
        self._moved: list[tuple[Any, Tensor]] = []
        self._buffers: dict[int, list[Tensor]] = {}

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
    def offload(self) -> int:
        """Copy to the host and free the device. Returns the bytes that were freed."""
        storages = {id_of(storage): storage for storage in self._storages()}
        for storage in storages.values():
            buffer = self._buffer(storage.nbytes())
            buffer.copy_(_bytes(storage))
            self._moved.append((storage, buffer))
        for storage, _ in self._moved:
            storage.resize_(0)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return sum(buffer.numel() for _, buffer in self._moved)

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
    def reload(self) -> None:
        """Allocate device memory again, and copy everything back. Does nothing if nothing is on the host."""
        for storage, buffer in self._moved:
            storage.resize_(buffer.numel())
            _bytes(storage).copy_(buffer)
            self._buffers.setdefault(buffer.numel(), []).append(buffer)
        self._moved.clear()

    def _buffer(self, num_bytes: int) -> Tensor:
        kept = self._buffers.get(num_bytes)
        if kept:
            return kept.pop()
        return torch.empty(num_bytes, dtype=torch.uint8, pin_memory=self._device.type == "cuda")

    def _storages(self) -> Iterator[Any]:
        for tensor in tensors_of(self._engine):
            storage = tensor.untyped_storage()
            if tensor.device.type == self._device.type and storage.nbytes() > 0 and storage.resizable():
                yield storage


def tensors_of(engine: Any) -> Iterator[Tensor]:
    """All tensors of an engine that have memory: parameters, buffers, and what they and the optimiser hold."""
    module = engine.module
    waiting: list[Any] = [*module.parameters(), *module.buffers(), engine.optimizer]
    seen: dict[int, Any] = {}  # kept, so that no other object gets the same id
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen[id(found)] = found
        if isinstance(found, Tensor):
            if found.device.type != "meta":
                yield found
            waiting += [found.grad] if found.is_leaf and found.grad is not None else []
            waiting += vars(found).values()
        elif isinstance(found, Mapping):
            waiting += found.values()
        elif isinstance(found, list | tuple | set | frozenset):
            waiting += found
        elif type(found).__module__.startswith(_OWNERS) and not isinstance(found, torch.nn.Module):
            waiting += getattr(found, "__dict__", {}).values()


def id_of(storage: Any) -> int:
    """Equal for all tensors that share this memory."""
    return int(storage._cdata)  # noqa: SLF001 - nothing public tells it


def _bytes(storage: Any) -> Tensor:
    """A tensor of the storage's bytes, without a copy."""
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
