"""How weights get from the policy's Ray actors to the engines': who sends, who receives, and who waits for whom.

Each transport is a context in which the policy sends: it yields a source for every engine, and ends when all weights
have been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

Transport = Literal["host", "broadcast", "ipc"]
Wait = Callable[[Sequence[Any], str], list[Any]]
"""(references, kind of process) -> results; turns failures into errors with a remedy."""


@dataclass(frozen=True, slots=True)
class Route:
    """The actors on both ends."""

    ranks: Sequence[Any]
    """The policy's ranks. Gathering weights is a collective: all take part, whichever sends."""
    engines: tuple[int, ...]
    """The numbers of the engines that are alive."""
    workers_per_engine: int
    wait: Wait


@contextmanager
def _through_host(route: Route) -> Iterator[Mapping[int, Any]]:
    references = [actor.host_weights.remote(rank == 0) for rank, actor in enumerate(route.ranks)]
    source = route.wait(references, "policy")[0][0]
    yield dict.fromkeys(route.engines, source)


@contextmanager
def _by_broadcast(route: Route) -> Iterator[Mapping[int, Any]]:
    num_ranks = 1 + len(route.engines) * route.workers_per_engine
    (source,) = route.wait([route.ranks[0].meet_engines.remote(route.engines, num_ranks)], "policy")
    sending = [actor.broadcast_weights.remote() for actor in route.ranks]
    yield {
        engine: replace(source, first_rank=1 + place * route.workers_per_engine)
        for place, engine in enumerate(route.engines)
    }
    route.wait(sending, "policy")


@contextmanager
def _by_ipc(route: Route) -> Iterator[Mapping[int, Any]]:
    """Each worker of an engine reads from the rank on its device; ranks without one only take part in gathering.

    Engine i spans the devices of `workers_per_engine` ranks, from rank i * workers_per_engine on.
    """
    from orz_rl.workers.weight_sync import IpcWeights

    route.wait([actor.open_buckets.remote() for actor in route.ranks], "policy")
    width = route.workers_per_engine
    sources = {
        engine: IpcWeights(tuple(route.ranks[engine * width : (engine + 1) * width])) for engine in route.engines
    }
    alone = [
        actor.drain_buckets.remote() for rank, actor in enumerate(route.ranks) if rank // width not in route.engines
    ]
    yield sources
    route.wait(alone, "policy")


TRANSPORTS: Mapping[Transport, Callable[[Route], AbstractContextManager[Mapping[int, Any]]]] = MappingProxyType(
    {"host": _through_host, "broadcast": _by_broadcast, "ipc": _by_ipc}
)
