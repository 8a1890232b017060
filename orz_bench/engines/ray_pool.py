"""Several engines behind one: each a Ray actor with its share of the machine or cluster, fed from one work queue.

Work is handed out in blocks of consecutive requests. A block whose engine dies goes back to the queue and is drawn by
another engine with the same seeds, so the rows are those that one engine would have drawn.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.environment import has_gpu
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request

_VLLM_BLOCK = 64
"""Requests a block for engines that batch continuously; two blocks wait at each engine, so that none runs dry between."""
_BLOCKS_IN_FLIGHT = 2
_MAX_ATTEMPTS = 3


@dataclass(slots=True)
class _Block:
    requests: Sequence[Request]
    attempts: int = 0


class EngineActor:
    """One engine in a process of its own."""

    def __init__(self, spec: EngineSpec) -> None:
        from orz_bench.engines.open import open_local

        self._engine = open_local(replace(spec, num_engines=1))

    def ready(self) -> int:
        """The process id, once the engine is up."""
        return os.getpid()

    def draw(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        """All completions of a block, in the lists in which the engine commits them."""
        return list(self._engine.generate(requests, sampling))


class RayPool:
    """`spec.num_engines` engines over Ray, on this machine or on the cluster that RAY_ADDRESS names."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", configure_logging=True)
        self._actors: list[Any] = []
        try:
            self._actors = self._start_actors()
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Of the engines' processes."""
        pids: list[int] = ray.get([actor.ready.remote() for actor in self._actors])
        return pids

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Lists of completions, block by block, as engines finish them."""
        size = self._spec.batch_size if self._spec.name == "transformers" else _VLLM_BLOCK
        queue = deque(_Block(requests[start : start + size]) for start in range(0, len(requests), size))
        in_flight: dict[Any, tuple[_Block, Any]] = {}
        while queue or in_flight:
            self._hand_out(queue, in_flight, sampling)
            done, _ = ray.wait(list(in_flight), num_returns=1)
            block, actor = in_flight.pop(done[0])
            try:
                lists = ray.get(done[0])
            except RayActorError:
                self._lose(actor, block, queue)
                continue
            except RayTaskError as error:
                raise EngineError(f"an engine failed: {error.cause}. Run the same command again to go on.") from error
            yield from lists

    def close(self) -> None:
        """End the engines, and Ray where this pool started it."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []
        if self._started_ray and ray.is_initialized():
            ray.shutdown()

    def _start_actors(self) -> list[Any]:
        gpu = has_gpu()
        available = ray.cluster_resources()
        kind, wanted = ("GPU", self._spec.tensor_parallel * self._spec.num_engines) if gpu else ("CPU", self._spec.num_engines)
        found = available.get(kind, 0.0)
        if found < wanted:
            raise EngineError(
                f"--num-engines {self._spec.num_engines} needs {wanted} {kind}s, but Ray has {found:g}; "
                f"lower --num-engines or --tensor-parallel, or join a larger cluster (RAY_ADDRESS)."
            )
        cores = max(1, int(available.get("CPU", 1) // self._spec.num_engines))
        share: dict[str, Any] = {"num_cpus": 1, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(1 if gpu else cores)}}}
        share |= {"num_gpus": self._spec.tensor_parallel} if gpu else {}
        remote: Any = ray.remote(EngineActor).options(max_concurrency=1, **share)
        actors = [remote.remote(self._spec) for _ in range(self._spec.num_engines)]
        self._actors = actors
        try:
            ray.get([actor.ready.remote() for actor in actors])
        except (RayActorError, RayTaskError) as error:
            cause = getattr(error, "cause", None) or error
            raise EngineError(f"an engine did not start: {next(iter(str(cause).splitlines()), cause)}") from error
        return actors

    def _hand_out(self, queue: deque[_Block], in_flight: dict[Any, tuple[_Block, Any]], sampling: Sampling) -> None:
        if not self._actors:
            raise EngineError("every engine has died (out of memory?). What was drawn is kept; the same command goes on.")
        load = {actor: sum(owner is actor for _, owner in in_flight.values()) for actor in self._actors}
        while queue:
            actor = min(load, key=lambda candidate: load[candidate])
            if load[actor] >= _BLOCKS_IN_FLIGHT:
                return
            block = queue.popleft()
            in_flight[actor.draw.remote(block.requests, sampling)] = (block, actor)
            load[actor] += 1

    def _lose(self, actor: Any, block: _Block, queue: deque[_Block]) -> None:
        self._actors = [other for other in self._actors if other is not actor]
        block.attempts += 1
        if block.attempts >= _MAX_ATTEMPTS:
            first = block.requests[0].problem.problem_id
            raise EngineError(f"{block.attempts} engines died on the block that begins with {first}; lower its --max-tokens.")
        queue.appendleft(block)
