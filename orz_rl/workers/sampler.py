"""What draws rollouts: engines whose weights follow the policy, in this process or as Ray actors on one work queue."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from orz_bench.engines.engine import Engine, EngineSpec, Sampling, TrainedEngine, WeightSource
from orz_bench.records.rollout import Completion, Request


class Sampler(Engine, Protocol):
    """An engine, or several, as the trainer sees them."""

    @property
    def engines(self) -> tuple[int, ...]:
        """The numbers of those that live."""
        ...

    def load_weights(self, sources: Mapping[int, Any], *, version: int) -> None:
        """Give every engine the weights of its source; what is drawn from now on carries `version`."""
        ...

    def sleep(self) -> None:
        """Give the devices to the models."""
        ...

    def wake_weights(self) -> None:
        """Take memory for weights."""
        ...

    def wake_cache(self) -> None:
        """Take memory to draw."""
        ...


class LocalSampler:
    """One engine in this process."""

    def __init__(self, spec: EngineSpec) -> None:
        from orz_bench.engines.local import open_trained

        self._engine = open_trained(spec)

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """As the engine does."""
        return self._engine.generate(requests, sampling)

    @property
    def engines(self) -> tuple[int, ...]:
        """The one."""
        return (0,)

    def load_weights(self, sources: Mapping[int, WeightSource], *, version: int) -> None:
        """Replace all weights."""
        self._engine.load_weights(sources[0], version=version)

    def sleep(self) -> None:
        """Give the device back."""
        self._engine.sleep()

    def wake_weights(self) -> None:
        """Take memory for weights."""
        self._engine.wake_weights()

    def wake_cache(self) -> None:
        """Take memory to draw."""
        self._engine.wake_cache()

    def close(self) -> None:
        """End the engine."""
        self._engine.close()


class RolloutActor:
    """One engine in a Ray actor: RayPool's calls, and those of training."""

    def __init__(self, spec: EngineSpec, log: str) -> None:
        from orz_bench.engines.local import open_trained
        from orz_bench.engines.ray.pool import EngineLoop
        from orz_rl.workers.process_log import write_output_to

        write_output_to(log)
        self._engine: TrainedEngine = open_trained(spec)
        self._loop = EngineLoop(self._engine)

    def process_id(self) -> int:
        """Answers once the engine is up."""
        return os.getpid()

    def draw(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See EngineLoop.draw."""
        return self._loop.draw(requests, sampling)

    def load_weights(self, source: WeightSource, version: int) -> None:
        """Replace all weights."""
        self._engine.load_weights(source, version=version)

    def sleep(self) -> None:
        """Give the device back."""
        self._engine.sleep()

    def wake_weights(self) -> None:
        """Take memory for weights."""
        self._engine.wake_weights()

    def wake_cache(self) -> None:
        """Take memory to draw."""
        self._engine.wake_cache()


class RaySampler:
    """Engines in Ray actors. One that dies is left out; the others draw what it had in hand, with the same seeds."""

    def __init__(self, spec: EngineSpec, actors: Sequence[Any], wait: Any) -> None:
        """`wait(references, what)` gets results and turns failures into errors that say what to do."""
        from orz_bench.engines.ray.pool import RayPool

        self._pool = RayPool(spec, actors)
        self._numbers = {actor: number for number, actor in enumerate(actors)}
        self._wait = wait

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Lists of completions as engines report them."""
        return self._pool.generate(requests, sampling)

    @property
    def engines(self) -> tuple[int, ...]:
        """The numbers of those that live."""
        return tuple(self._numbers[actor] for actor in self._pool.actors)

    def load_weights(self, sources: Mapping[int, Any], *, version: int) -> None:
        """A source may be a Ray reference: engines of one machine then read the same memory."""
        self._on_all("load_weights", lambda number: (sources[number], version))

    def sleep(self) -> None:
        """Give the devices to the models."""
        self._on_all("sleep")

    def wake_weights(self) -> None:
        """Take memory for weights."""
        self._on_all("wake_weights")

    def wake_cache(self) -> None:
        """Take memory to draw."""
        self._on_all("wake_cache")

    def close(self) -> None:
        """End the engines."""
        self._pool.close()

    def _on_all(self, method: str, arguments: Callable[[int], tuple[Any, ...]] = lambda _: ()) -> None:
        calls = zip(self._pool.actors, self.engines, strict=True)
        self._wait([getattr(actor, method).remote(*arguments(number)) for actor, number in calls], "engines")
