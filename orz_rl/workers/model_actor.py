"""The Ray actor that holds one rank of a model: its process, its log, and its side of every weight transport."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orz_bench.environment import set_library_defaults
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.ports import free_port
from orz_rl.workers.process_log import write_output_to


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Engines that have joined rank 0 of the policy for a broadcast."""

    engines: tuple[int, ...]
    store: Any
    source: Any


class ModelActor:
    """A rank in a Ray actor: `call` runs any method of it."""

    def __init__(self, log: str) -> None:
        write_output_to(log)
        set_library_defaults()
        self._rank: Any = None
        self._meeting: _Meeting | None = None
        self._buckets: Iterator[Any] = iter(())
        self._bucket: Any = None

    def address(self) -> str:
        """The address at which the other ranks join rank 0."""
        import ray

        return f"tcp://{ray.util.get_node_ip_address()}:{free_port()}"

    def open(self, spec: ModelSpec, *, rank: int, num_ranks: int, rendezvous: str) -> None:
        """Join the other ranks and load this rank's share of the model."""
        from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank

        os.environ.update(ENVIRONMENT)
        self._rank = ModelRank(spec, rank=rank, num_ranks=num_ranks, rendezvous=rendezvous)

    def call(self, method: str, arguments: tuple[Any, ...], *, settings: dict[str, Any]) -> Any:
        """Run a method of the rank."""
        return getattr(self._rank, method)(*arguments, **settings)

    def host_weights(self, keep: bool) -> list[Any]:  # noqa: FBT001 - a Ray call
        """Gather all weights; with `keep`, put them into the object store and return the reference in a list."""
        import ray

        from orz_rl.workers.weight_sync import HostWeights

        if keep:
            return [ray.put(HostWeights.of(self._rank.weights()))]
        deque(self._rank.weights(), maxlen=0)
        return []

    def meet_engines(self, engines: tuple[int, ...], num_ranks: int) -> Any:
        """Rank 0: the source from which these engines receive; reused while the engines are the same."""
        import ray
        from torch.distributed import TCPStore

        from orz_rl.workers.weight_sync import TIMEOUT_S, BroadcastWeights

        if self._meeting is None or self._meeting.engines != engines:
            store = TCPStore(
                "0.0.0.0",  # noqa: S104 - engines on other nodes join here
                0,
                is_master=True,
                timeout=timedelta(seconds=TIMEOUT_S),
                wait_for_workers=False,
            )
            source = BroadcastWeights(
                ray.util.get_node_ip_address(), store.port, 0, num_ranks=num_ranks, buckets=self._rank.buckets()
            )
            self._meeting = _Meeting(engines, store, source=source)
        return self._meeting.source

    def broadcast_weights(self) -> None:
        """Rank 0 sends; the other ranks only take part in gathering."""
        if self._meeting is None:
            deque(self._rank.weights(), maxlen=0)
        else:
            self._meeting.source.send(self._rank.bucket_bytes())

    def open_buckets(self) -> None:
        """Start handing out buckets."""
        self._buckets = zip(self._rank.buckets(), self._rank.bucket_bytes(), strict=True)

    def next_bucket(self) -> bytes | None:
        """A handle that maps the next bucket, valid until the next call; None after the last bucket."""
        from orz_rl.workers.weight_sync import bucket_handle

        self._bucket = next(self._buckets, None)
        return None if self._bucket is None else bucket_handle(*self._bucket)

    def drain_buckets(self) -> None:
        """Take part in gathering, discarding the gathered tensors."""
        deque(self._buckets, maxlen=0)
