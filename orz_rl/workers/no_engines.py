"""The engines of a run that samples nothing: none, so that no weights are sent and no device is shared."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator

from orz_bench.engines.engine import Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from orz_rl.workers.cluster import EngineMethod, Sampler, Sources


class NoEngines(Sampler):
    """A sampler that holds no weights and refuses to sample."""

    engines = ()

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Raises EngineError."""
        raise _nothing()

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """Raises EngineError."""
        raise _nothing()

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: object) -> None:
        """Does nothing: there are none."""

    def close(self) -> None:
        """Does nothing."""


def _nothing() -> EngineError:
    return EngineError("this run learns stored rollouts and has no engine (rollout.replay); nothing can be sampled.")
