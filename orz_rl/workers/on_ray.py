"""Models and engines as Ray actors in the bundles of one placement group, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.ray.pool import RayPool
from orz_bench.engines.ray.session import end_ray, start_ray
from orz_bench.errors import ConfigError, EngineError, OrzError, counted
from orz_bench.records.rollout import Completion, Request
from orz_rl.config import ClusterConfig
from orz_rl.workers.cluster import EngineMethod, ModelGroup, RankMethod, Sampler, Sources, WorkerDiedError
from orz_rl.workers.engine_actor import BUNDLES, TrainedEngineActor
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.model_actor import ModelActor
from orz_rl.workers.placement import SHARE, Placement
from orz_rl.workers.process_log import ProcessLogs
from orz_rl.workers.weight_transport import TRANSPORTS, Route

_READY_S = 120


class RayCluster:
    """The placement group, and the actors in it by name."""

    def __init__(self, config: ClusterConfig, placement: Placement, *, logs: Path) -> None:
        """Reserve the bundles. Raises ConfigError with the resources that the cluster lacks."""
        self._config, self._placement = config, placement
        self._calls = Calls(ProcessLogs(logs))
        start_ray()
        try:
            self._group = _reserved(placement, spread=config.spread)
        except BaseException:
            ray.shutdown()
            raise
        cores = int(ray.cluster_resources()["CPU"] // len(placement.bundles))
        self._engine_threads = max(1, cores)
        self._model_threads = max(1, cores // placement.num_trained) if placement.models_share else self._engine_threads

    def open_model(self, spec: ModelSpec, num_ranks: int) -> RayModel:
        """One actor per rank; they load while others start."""
        actors = [
            self._start(ModelActor, (), name=f"{spec.role}-{rank}", bundle=bundle)
            for rank, bundle in enumerate(self._placement.ranks[spec.role])
        ]
        rendezvous = actors[0].address.remote()
        opened = [
            actor.open.remote(spec, rank=rank, num_ranks=num_ranks, rendezvous=rendezvous)
            for rank, actor in enumerate(actors)
        ]
        return RayModel(spec.role, actors, calls=self._calls, opened=opened, send=self._send)

    def open_sampler(self, spec: EngineSpec) -> RaySampler:
        """One actor per engine; they load while others start."""
        actors = [
            self._start(
                TrainedEngineActor, (spec,), name=f"engine-{index}", bundle=bundle, spanned=self._spanned(index)
            )
            for index, bundle in enumerate(self._placement.engines)
        ]
        return RaySampler(spec, actors, calls=self._calls)

    def close(self) -> None:
        """Stop all actors, and Ray if it was started here."""
        end_ray(self._calls.actors.values(), placement_group=self._group)

    def _spanned(self, engine: int) -> Sequence[int]:
        return self._placement.spanned(engine) if self._placement.spans else ()

    def _start(
        self, actor_class: type, arguments: tuple[Any, ...], *, name: str, bundle: int, spanned: Sequence[int] = ()
    ) -> Any:
        is_engine = actor_class is TrainedEngineActor
        threads = self._engine_threads if is_engine else self._model_threads
        environment = {"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        if spanned:  # vLLM starts its workers in these bundles, which it finds in the group of its actor
            environment |= {BUNDLES: ",".join(map(str, spanned)), "VLLM_RAY_PER_WORKER_GPUS": str(SHARE)}
        remote: Any = ray.remote(actor_class).options(
            **self._placement.share_of(is_engine=is_engine),
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                self._group, placement_group_bundle_index=bundle, placement_group_capture_child_tasks=bool(spanned)
            ),
            runtime_env={"env_vars": environment},
        )
        self._calls.actors[name] = remote.remote(*arguments, self._calls.logs.open(name))
        return self._calls.actors[name]

    def _send(self, ranks: Sequence[Any], engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        workers = self._placement.gpus_per_engine
        route = Route(ranks, engines, workers_per_engine=workers, wait=self._calls.wait)
        return TRANSPORTS[self._config.transport](route)


class RayModel(ModelGroup):
    """All ranks of a model, each a Ray actor."""

    def __init__(
        self,
        role: str,
        actors: Sequence[Any],
        *,
        calls: Calls,
        opened: Sequence[Any],
        send: Callable[[Sequence[Any], tuple[int, ...]], AbstractContextManager[Sources]],
    ) -> None:
        self.num_ranks = len(actors)
        self._role, self._actors, self._calls, self._opened, self._send = role, actors, calls, opened, send

    def ready(self) -> None:
        """Wait until every rank has loaded its share."""
        self._calls.wait(self._opened, self._role)

    def start(self, method: RankMethod, shares: Sequence[Any] | None = None, **settings: Any) -> RayPending:
        """Call a method of every rank."""
        arguments = [(share,) for share in shares] if shares is not None else [()] * self.num_ranks
        references = [
            actor.call.remote(method, share, settings=settings)
            for actor, share in zip(self._actors, arguments, strict=True)
        ]
        return RayPending(references, self._role, calls=self._calls)

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        """A context in which the configured transport sends all weights to these engines."""
        return self._send(self._actors, engines)


class RayPending:
    """A call in progress on every rank of a model."""

    def __init__(self, references: Sequence[Any], role: str, *, calls: Calls) -> None:
        self._references, self._role, self._calls = references, role, calls

    def results(self) -> list[Any]:
        """One result per rank."""
        return self._calls.wait(self._references, self._role)


class RaySampler(Sampler):
    """Engines in Ray actors. If one dies, the others generate its unfinished requests with the same seeds."""

    def __init__(self, spec: EngineSpec, actors: Sequence[Any], *, calls: Calls) -> None:
        self._pool = RayPool(spec, actors)
        self._numbers = {actor: number for number, actor in enumerate(actors)}
        self._calls = calls

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Lists of completions as the engines report them. Raises WorkerDiedError once no engine is left."""
        with self._names_dead_engines():
            yield from self._pool.generate(requests, sampling)

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """See Sampler.draw. Raises WorkerDiedError once no engine is left."""
        with self._names_dead_engines():
            return (yield from self._pool.draw(requests, sampling, until=until))

    @contextmanager
    def _names_dead_engines(self) -> Iterator[None]:
        try:
            yield
        except EngineError:
            if self._pool.actors:
                raise
            raise self._calls.died([f"engine-{number}" for number in self._numbers.values()]) from None

    @property
    def engines(self) -> tuple[int, ...]:
        """The numbers of the engines that are alive."""
        return tuple(self._numbers[actor] for actor in self._pool.actors)

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        """Call a method of every engine. Engines of one machine read a source in the object store without a copy."""
        references = [
            # A Ray reference arrives as what it refers to only if it is an argument by itself.
            actor.call.remote(method, *([] if sources is None else [sources[number]]), settings=settings)
            for actor, number in zip(self._pool.actors, self.engines, strict=True)
        ]
        self._calls.wait(references, "engine")

    def close(self) -> None:
        """Stop the engines."""
        self._pool.close()


class Calls:
    """Waits for calls of actors, and turns their failures into errors with the remedy and the processes' last words."""

    def __init__(self, logs: ProcessLogs) -> None:
        self.logs = logs
        self.actors: dict[str, Any] = {}

    def wait(self, references: Sequence[Any], kind: str) -> list[Any]:
        """All results in order. The first failure is raised at once, because other calls may wait for that process."""
        waiting = list(references)
        try:
            while waiting:
                done, waiting = ray.wait(waiting, num_returns=1)
                ray.get(done[0])
            return ray.get(list(references))  # type: ignore[no-any-return]
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, OrzError):
                raise type(cause)(str(cause)) from None
            if isinstance(cause, RayActorError):
                raise self._died(cause) from error
            words = self.logs.last_words(name for name in self.actors if name.startswith(f"{kind}-"))
            raise EngineError(f"a {kind} process failed: {cause!r}.\n{words}") from error
        except RayActorError as error:
            raise self._died(error) from error

    def died(self, names: Sequence[str]) -> WorkerDiedError:
        """The error for processes that died."""
        what = f"process {names[0]}" if len(names) == 1 else f"processes {', '.join(names)}"
        return WorkerDiedError(
            f"the {what} died (out of memory, or killed?). Completed work is saved.\n{self.logs.last_words(names)}"
        )

    def _died(self, error: Any) -> WorkerDiedError:
        """Which process died; the one that was waited for may be another."""
        names = [name for name, actor in self.actors.items() if actor._actor_id.hex() == error.actor_id]  # noqa: SLF001
        return self.died(names or list(self.actors))


def _reserved(placement: Placement, *, spread: bool) -> Any:
    """The placement group, once Ray holds its resources. Raises ConfigError with what is missing."""
    bundles, resources = placement.bundles, ray.cluster_resources()
    for kind in ("GPU", "CPU"):
        wanted, found = sum(bundle.get(kind, 0.0) for bundle in bundles), resources.get(kind, 0.0)
        if wanted > found:
            raise ConfigError(
                f"this run needs {counted(round(wanted), kind)} in {counted(len(bundles), 'bundle')}, but Ray has "
                f"{found:g}: {wanted - found:g} {'is' if wanted - found == 1 else 'are'} missing. Lower "
                f"cluster.policy_ranks, cluster.critic_ranks or "
                f"rollout.num_engines, set cluster.colocate=true, or join a larger cluster (RAY_ADDRESS)."
            )
    group = placement_group(bundles, strategy="SPREAD" if spread else "PACK")
    if not group.wait(_READY_S):
        free = {kind: amount for kind, amount in ray.available_resources().items() if kind in ("CPU", "GPU")}
        ray.util.remove_placement_group(group)
        raise ConfigError(
            f"Ray could not reserve {counted(len(bundles), 'bundle')} of {bundles[0]} within {_READY_S} s; free now: "
            f"{free}. "
            f"Another job may hold the rest: wait for it, or stop it."
        )
    return group
