"""Several engines as one: each is a Ray actor with its share of the machine or cluster, fed from one work queue.

An engine gets more requests as its completions come back, so it never waits for the slowest of a block. Unfinished
requests of an engine that dies return to the queue; the others generate them with the same seeds.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Self

import ray
from ray.exceptions import RayActorError, RayTaskError

from orz_bench.engines.distinct import Distinct
from orz_bench.engines.engine import Engine, EngineSpec, Sampling
from orz_bench.engines.ray.session import end_ray, start_ray
from orz_bench.engines.registry import settings_of
from orz_bench.environment import has_gpu
from orz_bench.errors import EngineError, OrzError
from orz_bench.records.rollout import Completion, Request

_LOG = logging.getLogger(__name__)
_SECONDS_A_CALL = 0.5
"""How long an engine generates before it reports: the maximum age of the queue's view of it."""
_IN_HAND_GPU, _IN_HAND_CPU = 1024, 128
"""Requests held by one vLLM engine: about twice as many as it runs together."""
_MOST_READ = 64
"""Requests that are read for an engine at once: others may have room, too."""
_LEAST = 16
"""Requests given to such an engine at once, even if its fair share is smaller."""


class EngineLoop:
    """An engine that accepts requests incrementally while it generates."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._feed = _Feed()
        self._stream: Iterator[list[Completion]] | None = None
        self._sampling = Sampling()
        self._num_in_hand = 0
        self._finished: list[list[Completion]] = []
        """Not yet reported."""

    def finish(self) -> None:
        """Generate all requests in hand: before new weights, because a sample has those of one version."""
        while self._num_in_hand:
            self._advance()

    def generate_some(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """Add these requests; return the lists of completions that finish within about half a second."""
        self._feed.extend(requests)
        self._num_in_hand += len(requests)
        self._sampling = sampling
        ends_at = time.monotonic() + _SECONDS_A_CALL
        while self._num_in_hand and (not self._finished or time.monotonic() < ends_at):
            self._advance()
        ready, self._finished = self._finished, []
        return ready

    def _advance(self) -> None:
        self._stream = self._stream or self._engine.generate(self._feed, self._sampling)
        completions = next(self._stream, None)
        if completions is None:
            self._stream = None
            return
        self._finished.append(completions)
        self._num_in_hand -= len(completions)
        if not self._num_in_hand:
            self._stream = None  # the next requests may have different sampling settings


class EngineActor:
    """One engine in a process of its own."""

    def __init__(self, spec: EngineSpec) -> None:
        from orz_bench.engines.local import open_local

        self._loop = EngineLoop(open_local(spec))

    def process_id(self) -> int:
        """Returns once the engine is up."""
        return os.getpid()

    def generate_some(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """See EngineLoop.generate_some."""
        return self._loop.generate_some(requests, sampling)


class _Feed:
    """An iterator that ends when it is empty and continues after it is refilled."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque()

    def extend(self, requests: Iterable[Request]) -> None:
        self._requests.extend(requests)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Request:
        if not self._requests:
            raise StopIteration
        return self._requests.popleft()


@dataclass(slots=True, eq=False)
class _Worker:
    """The driver's view of one engine."""

    actor: Any
    in_hand: dict[tuple[str, int], Request] = field(default_factory=dict)


class RayPool:
    """`spec.num_engines` engines over Ray, on this machine or on the cluster that RAY_ADDRESS names."""

    def __init__(self, spec: EngineSpec, actors: Sequence[Any] | None = None) -> None:
        """`actors`: engines of this spec that training has already started; otherwise they are started here."""
        self._spec, self._settings = spec, settings_of(spec)
        self._workers = [_Worker(actor) for actor in actors or ()]
        self._started_ray = not ray.is_initialized()
        if self._workers:
            return
        if self._started_ray:
            start_ray()
        try:
            self._start_workers()
        except BaseException:
            self.close()
            raise

    @property
    def actors(self) -> list[Any]:
        """The actors that are alive."""
        return [worker.actor for worker in self._workers]

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the engines."""
        pids: list[int] = ray.get([worker.actor.process_id.remote() for worker in self._workers])
        return pids

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Lists of completions as engines report them."""
        queue = deque(Distinct(requests))
        calls: dict[Any, _Worker] = {}
        while queue or any(worker.in_hand for worker in self._workers):
            if not self._workers:
                raise EngineError(
                    "every engine has died (out of memory?). Finished samples are kept; run the same command to resume."
                )
            idle = [worker for worker in self._workers if worker not in calls.values()]
            for worker in idle:
                new = self._take(queue, worker)
                if worker.in_hand:
                    calls[worker.actor.generate_some.remote(new, sampling)] = worker
            done, _ = ray.wait(list(calls), num_returns=1)
            worker = calls.pop(done[0])
            lists: list[list[Completion]] | None = self._result(done[0], worker, queue=queue)
            for completion in chain.from_iterable(lists or ()):
                del worker.in_hand[completion.key]
            yield from lists or ()

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """Lists of completions, possibly empty, until all are there, or `until()`; returns what was read and not
        finished.

        For engines whose weights are trained. Requests are read as engines have room for them. An iterator that has
        ended is asked again: it may have been refilled.
        """
        queue: deque[Request] = deque()
        calls: dict[Any, _Worker] = {}
        waiting = iter(requests)
        while True:
            is_over = until()
            if not self._workers:
                raise EngineError("every engine has died (out of memory?). Finished samples are kept.")
            for worker in () if is_over else [each for each in self._workers if each not in calls.values()]:
                new = self._take(queue, worker, more=waiting)
                if worker.in_hand:
                    calls[worker.actor.draw_some.remote(new, sampling)] = worker
            if not calls:
                break
            done, _ = ray.wait(list(calls), num_returns=1)
            worker = calls.pop(done[0])
            completions: list[Completion] = self._result(done[0], worker, queue=queue) or []
            for completion in completions:
                del worker.in_hand[completion.key]
            yield completions
        return [*self._unfinished(queue), *queue]

    def _unfinished(self, queue: deque[Request]) -> list[Request]:
        """What the engines have in hand, with what was drawn of it."""
        calls = {worker.actor.take_unfinished.remote(): worker for worker in self._workers if worker.in_hand}
        found: list[Request] = []
        for call, worker in calls.items():
            taken: list[Request] | None = self._result(call, worker, queue=queue)
            found += taken or ()
            worker.in_hand.clear()
        return found

    def _result(self, call: Any, worker: _Worker, *, queue: deque[Request]) -> Any:
        """What a call of an engine returned; None if the engine has died, and its requests are in the queue again."""
        try:
            return ray.get(call)
        except RayActorError:
            self._workers.remove(worker)
            _LOG.warning("an engine died; the others generate its %d unfinished samples", len(worker.in_hand))
            queue.extendleft(reversed(worker.in_hand.values()))
            return None
        except RayTaskError as error:
            if isinstance(error.cause, OrzError):
                raise type(error.cause)(str(error.cause)) from error
            raise EngineError(f"an engine failed: {error.cause}. Run the same command to resume.") from error

    def close(self) -> None:
        """End the engines, and Ray if this pool started it."""
        actors = [worker.actor for worker in self._workers]
        self._workers = []
        if self._started_ray:
            end_ray(actors)
            return
        for actor in actors:
            ray.kill(actor)

    def _take(self, queue: deque[Request], worker: _Worker, *, more: Iterator[Request] | None = None) -> list[Request]:
        """The next requests for this engine: whole blocks, or at most its fair share of the rest.

        With `more`, blocks are filled up, and some are read from it where the queue has too few.
        """
        block = self._settings.block
        if block is not None:
            room = 0 if worker.in_hand and more is None else block - len(worker.in_hand)
        else:
            limit = _IN_HAND_GPU if has_gpu() else _IN_HAND_CPU
            fair = max(_LEAST, -(-len(queue) // len(self._workers)))
            room = min(limit - len(worker.in_hand), fair)
        taken = [queue.popleft() for _ in range(min(room, len(queue)))]
        taken += islice(more or (), min(max(0, room - len(taken)), _MOST_READ))
        worker.in_hand |= {request.key: request for request in taken}
        return taken

    def _start_workers(self) -> None:
        num_engines, gpu = self._spec.num_engines, has_gpu()
        available = ray.cluster_resources()
        kind, wanted = ("GPU", self._settings.gpus * num_engines) if gpu else ("CPU", num_engines)
        found = available.get(kind, 0.0)
        if found < wanted:
            raise EngineError(
                f"--num-engines {num_engines} needs {wanted} {kind}s, but Ray has {found:g}; "
                f"lower --num-engines or --tensor-parallel, or join a larger cluster (RAY_ADDRESS)."
            )
        share: dict[str, Any] = {"num_cpus": 1}
        if gpu:
            share |= {"num_gpus": self._settings.gpus}
        else:
            threads = str(max(1, int(available["CPU"] // num_engines)))
            share |= {"runtime_env": {"env_vars": {"OMP_NUM_THREADS": threads, "VLLM_CPU_OMP_THREADS_BIND": "nobind"}}}
        remote: Any = ray.remote(EngineActor).options(**share)
        self._workers = [_Worker(remote.remote(self._spec)) for _ in range(num_engines)]
        try:
            _ = self.process_ids
        except (RayActorError, RayTaskError) as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, OrzError):
                raise type(cause)(str(cause)) from error
            raise EngineError(f"an engine did not start: {next(iter(str(cause).splitlines()), cause)}") from error
