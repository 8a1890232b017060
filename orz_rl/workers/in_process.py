"""Models and engine in the caller's process, one call after the other: for debugging and tests."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.environment import environment_variables
from orz_bench.records.rollout import Completion, Request
from orz_rl.workers.cluster import EngineMethod, ModelGroup, RankMethod, Sampler, Sources
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.ports import free_port


class InProcessCluster:
    """One rank for each model, one engine, no other process."""

    def __init__(self) -> None:
        self._samplers: list[LocalSampler] = []

    def open_model(self, spec: ModelSpec, num_ranks: int) -> LocalModel:
        """Load the model."""
        assert num_ranks == 1
        return LocalModel(spec)

    def open_sampler(self, spec: EngineSpec) -> LocalSampler:
        """Load the engine."""
        self._samplers.append(LocalSampler(spec))
        return self._samplers[-1]

    def close(self) -> None:
        """Close the engine."""
        for sampler in self._samplers:
            sampler.close()


class LocalModel(ModelGroup):
    """The only rank of a model; leaves the caller's environment as it is."""

    num_ranks = 1

    def __init__(self, spec: ModelSpec) -> None:
        from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank

        self._environment = ENVIRONMENT
        with environment_variables(self._environment):
            self._rank = ModelRank(spec, rank=0, num_ranks=1, rendezvous=f"tcp://127.0.0.1:{free_port()}")

    def ready(self) -> None:
        """The constructor has loaded the model."""

    def start(self, method: RankMethod, shares: Sequence[Any] | None = None, **settings: Any) -> Done:
        """Call the method; its result is there at once."""
        with environment_variables(self._environment):
            return Done(getattr(self._rank, method)(*(shares or ()), **settings))

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        """The weights, copied."""
        from orz_rl.workers.weight_sync import HostWeights

        with environment_variables(self._environment):
            return nullcontext(dict.fromkeys(engines, HostWeights.of(self._rank.weights())))


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a call that has returned."""

    value: Any

    def results(self) -> list[Any]:
        """That of the only rank."""
        return [self.value]


class LocalSampler(Sampler):
    """One engine."""

    engines = (0,)

    def __init__(self, spec: EngineSpec) -> None:
        from orz_bench.engines.local import open_trained

        self._engine = open_trained(spec)

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """The engine's own lists."""
        return self._engine.generate(requests, sampling)

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """See Sampler.draw."""
        from orz_bench.engines.drawing import draw_here

        return draw_here(self._engine, requests, sampling=sampling, until=until)

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        """Call the engine's method."""
        getattr(self._engine, method)(*([] if sources is None else [sources[0]]), **settings)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
