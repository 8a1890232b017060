"""Rows about the three transports: every tensor, also a tied output layer, arrives bit for bit in another process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_rl.assets.resolve import TINY
from orz_rl.rehearsal.embedded import a_spec
from orz_rl.rehearsal.rows import Check, Device, ImpossibleError, MismatchError
from orz_rl.workers.process_log import ProcessLogs
from orz_rl.workers.weight_transport import TRANSPORTS, Route, Transport

_NAMES: dict[Transport, str] = {
    "host": "weights through host memory",
    "ipc": "weights by CUDA IPC",
    "broadcast": "weights by NCCL",
}
_ON_CPU: dict[Transport, str] = {"ipc": "weights by shared memory", "broadcast": "weights by gloo"}


def checks(device: Device, folder: Path) -> Iterator[Check]:
    """One row a transport; Ray is ended after the last."""
    with ExitStack() as stack:
        sender = _Sender(device, folder, stack)
        for transport, name in (_NAMES | (_ON_CPU if device == "cpu" else {})).items():
            others = " or ".join(f"cluster.weight_sync={other}" for other in _NAMES if other != transport)
            yield Check(name, lambda transport=transport: sender.send(transport), others)  # type: ignore[misc]


class _Sender:
    """A policy in a Ray actor, and for each transport a process that receives."""

    def __init__(self, device: Device, folder: Path, stack: ExitStack) -> None:
        self._device, self._folder, self._stack = device, folder, stack
        self._policy: Any = None
        self._group: Any = None

    def send(self, transport: Transport) -> str:
        """Send all weights once, and again: groups and handles are used twice."""
        import ray
        import torch

        if transport == "broadcast" and self._device == "cuda" and torch.cuda.device_count() < 2:
            raise ImpossibleError("one GPU cannot talk to itself by NCCL")
        self._start()
        receiver = self._actor(Receiver, bundle=1 if transport == "broadcast" else 0, name=f"receiver-{transport}")
        route = Route([self._policy], (0,), workers_per_engine=1, wait=lambda references, _: ray.get(list(references)))
        expected = digests(_weights())
        for _ in range(2):
            with TRANSPORTS[transport](route) as sources:
                found = ray.get(receiver.digests.remote(sources[0], self._device), timeout=120)
            wrong = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
            if wrong:
                raise MismatchError(
                    f"{len(wrong)} of {counted(len(expected), 'tensor')} not the same, such as {wrong[0]}"
                )
        ray.kill(receiver)
        return f"{counted(len(expected), 'tensor')} bit for bit, twice; lm_head.weight, which is tied, is one of them"

    def _start(self) -> None:
        if self._policy is not None:
            return
        import ray
        from ray.util.placement_group import placement_group

        from orz_bench.engines.ray.session import end_ray, start_ray
        from orz_rl.workers.model_actor import ModelActor

        start_ray()
        self._stack.callback(end_ray)
        resources = ray.cluster_resources()
        enough = resources.get("GPU", 0) if self._device == "cuda" else resources["CPU"]
        bundle = {"CPU": 1.0} | ({"GPU": 1.0} if self._device == "cuda" else {})
        self._group = placement_group([bundle] * int(min(2, enough)))
        ray.get(self._group.ready(), timeout=60)
        self._policy = self._actor(ModelActor, bundle=0, name="policy")
        address = ray.get(self._policy.address.remote())
        stage = 3 if self._device == "cuda" else 0
        spec = a_spec(self._device, dtype="bfloat16" if stage else "float32", zero_stage=stage)
        ray.get(self._policy.open.remote(spec, rank=0, num_ranks=1, rendezvous=address), timeout=300)

    def _actor(self, kind: type, *, bundle: int, name: str) -> Any:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        bundles = len(self._group.bundle_specs)
        strategy = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=min(bundle, bundles - 1))
        share: dict[str, float] = {"num_cpus": 0.25, "num_gpus": 0.25 if self._device == "cuda" else 0.0}
        actor: Any = ray.remote(kind).options(**share, scheduling_strategy=strategy)
        return actor.remote(ProcessLogs(self._folder).open(name))


class Receiver:
    """Stands where an engine's worker stands: it reads a source, and keeps digests instead of weights."""

    def __init__(self, log: str) -> None:
        from orz_rl.workers.process_log import write_output_to

        write_output_to(log)

    def digests(self, source: Any, device: Device) -> dict[str, str]:
        """Of every tensor that arrives."""
        return digests(source.tensors(device))


def digests(weights: Any) -> dict[str, str]:
    """Name -> a hash of type, shape and bytes."""
    import torch

    found = {}
    for name, tensor in weights:
        content = tensor.detach().cpu().contiguous()
        facts = f"{content.dtype} {tuple(content.shape)} ".encode()
        found[name] = hashlib.sha256(facts + content.view(torch.uint8).numpy().tobytes()).hexdigest()
    return found


def _weights() -> Any:
    """Of the checkpoint, read without our loader; the names are Hugging Face's."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=dtype)
    yield from model.named_parameters()
    if model.config.tie_word_embeddings:
        yield "lm_head.weight", model.get_output_embeddings().weight
