"""Where models and engines run: in this process, or as Ray actors placed on this machine or a cluster.

Both are opened by `open_cluster` and look the same to the trainer. Resources are checked before anything starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from orz_bench.engines.engine import EngineSpec
from orz_bench.environment import environment_variables, has_gpu, set_library_defaults
from orz_bench.errors import ConfigError, EngineError, OrzError
from orz_rl.config import ClusterConfig
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.model_actor import ModelActor, free_port
from orz_rl.workers.process_log import last_lines
from orz_rl.workers.sampler import LocalSampler, RaySampler, RolloutActor, Sampler
from orz_rl.workers.weight_transport import TRANSPORTS, Route, Wait

_READY_S = 120
Send = Callable[[Sequence[Any], tuple[int, ...]], AbstractContextManager[Mapping[int, Any]]]
_SHARE = 0.25
"""Of a bundle: policy, critic, reference and engine may share one."""


class Pending(Protocol):
    """A call that is under way on every rank of a model."""

    def results(self) -> list[Any]:
        """One a rank. Raises EngineError where a process died."""
        ...


class ModelGroup(Protocol):
    """All ranks of one model."""

    num_ranks: int

    def ready(self) -> None:
        """Wait until every rank has loaded its share. Raises what went wrong there."""
        ...

    def start(self, method: str, shares: Sequence[Any] | None = None, **settings: Any) -> Pending:
        """Call a method of ModelRank on every rank, with a share of the data for each."""
        ...

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Mapping[int, Any]]:
        """A context in which all weights leave for these engines; gives the source of each."""
        ...


class Cluster(Protocol):
    """Opens models and engines, and ends them all."""

    def open_model(self, spec: ModelSpec, num_ranks: int) -> ModelGroup:
        """Start every rank of a model."""
        ...

    def open_sampler(self, spec: EngineSpec) -> Sampler:
        """Start the engines."""
        ...

    def close(self) -> None:
        """End every process that was started."""
        ...


def open_cluster(config: ClusterConfig, *, engines: int, gpus_per_engine: int, roles: int, logs: Path) -> Cluster:
    """The cluster that the configuration asks for. `roles`: models of which each device holds a rank.

    Raises ConfigError for a device or resources that are not there, EngineError where Ray does not answer.
    """
    set_library_defaults()
    if config.device == "cuda" and not has_gpu() and not os.environ.get("RAY_ADDRESS"):
        raise ConfigError(
            "cluster.device is cuda, but this machine shows no GPU. Run where there is one, join a cluster "
            "that has some (RAY_ADDRESS), or set cluster.device=cpu (and a model that a CPU can train)."
        )
    if config.in_process:
        return InProcessCluster()
    return RayCluster(config, engines=engines, gpus_per_engine=gpus_per_engine, roles=roles, logs=logs)


class _Done:
    def __init__(self, value: Any) -> None:
        self._value = value

    def results(self) -> list[Any]:
        return [self._value]


class _LocalModel:
    """The one rank of a model, in this process."""

    num_ranks = 1

    def __init__(self, spec: ModelSpec) -> None:
        from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank

        self._environment = ENVIRONMENT
        with environment_variables(self._environment):
            self._rank = ModelRank(spec, rank=0, num_ranks=1, rendezvous=f"tcp://127.0.0.1:{free_port()}")

    def ready(self) -> None:
        pass

    def start(self, method: str, shares: Sequence[Any] | None = None, **settings: Any) -> Pending:
        with environment_variables(self._environment):
            return _Done(getattr(self._rank, method)(*(shares or ()), **settings))

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Mapping[int, Any]]:
        from orz_rl.workers.weight_sync import HostWeights

        with environment_variables(self._environment):
            return nullcontext(dict.fromkeys(engines, HostWeights.of(self._rank.weights())))


class InProcessCluster:
    """Everything here, one call after the other."""

    def __init__(self) -> None:
        self._samplers: list[LocalSampler] = []

    def open_model(self, spec: ModelSpec, num_ranks: int) -> ModelGroup:
        """One rank."""
        assert num_ranks == 1
        return _LocalModel(spec)

    def open_sampler(self, spec: EngineSpec) -> Sampler:
        """One engine."""
        self._samplers.append(LocalSampler(spec))
        return self._samplers[-1]

    def close(self) -> None:
        """End the engine."""
        for sampler in self._samplers:
            sampler.close()


class _RayPending:
    def __init__(self, references: Sequence[Any], what: str, *, wait: Wait) -> None:
        self._references, self._what, self._wait = references, what, wait

    def results(self) -> list[Any]:
        return self._wait(self._references, self._what)


class _RayModel:
    """All ranks of a model, each a Ray actor."""

    def __init__(self, role: str, actors: Sequence[Any], *, wait: Wait, opened: Sequence[Any], send: Send) -> None:
        self.num_ranks = len(actors)
        self._role, self._actors, self._wait, self._opened, self._send = role, actors, wait, opened, send

    def ready(self) -> None:
        self._wait(self._opened, self._role)

    def start(self, method: str, shares: Sequence[Any] | None = None, **settings: Any) -> Pending:
        arguments = [(share,) for share in shares] if shares is not None else [()] * self.num_ranks
        calls = zip(self._actors, arguments, strict=True)
        return _RayPending(
            [actor.call.remote(method, share, settings=settings) for actor, share in calls], self._role, wait=self._wait
        )

    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Mapping[int, Any]]:
        return self._send(self._actors, engines)


class RayCluster:
    """Ray actors in the bundles of one placement group."""

    def __init__(self, config: ClusterConfig, *, engines: int, gpus_per_engine: int, roles: int, logs: Path) -> None:
        import ray

        from orz_bench.engines.ray.session import start_ray

        self._config, self._engines, self._gpus_per_engine, self._roles = config, engines, gpus_per_engine, roles
        self._logs = logs.resolve()
        self._actors: dict[str, Any] = {}
        set_library_defaults()
        start_ray()
        try:
            self._group = self._place()
        except BaseException:
            ray.shutdown()
            raise

    def open_model(self, spec: ModelSpec, num_ranks: int) -> ModelGroup:
        """One actor a rank; they load while others start."""
        actors = [
            self._start(ModelActor, f"{spec.role}-{rank}", bundle=bundle, threads=self._model_threads, extra=())
            for rank, bundle in enumerate(self._bundles[spec.role])
        ]
        rendezvous = actors[0].address.remote()
        opened = [
            actor.open.remote(spec, rank=rank, num_ranks=num_ranks, rendezvous=rendezvous)
            for rank, actor in enumerate(actors)
        ]
        return _RayModel(spec.role, actors, wait=self._wait, opened=opened, send=self._send)

    def open_sampler(self, spec: EngineSpec) -> Sampler:
        """One actor an engine; they load while others start."""
        actors = [
            self._start(RolloutActor, f"engine-{index}", bundle=bundle, threads=self._engine_threads, extra=(spec,))
            for index, bundle in enumerate(self._bundles["engine"])
        ]
        return RaySampler(spec, actors, self._wait)

    def close(self) -> None:
        """End all actors, and Ray where it was started here."""
        from orz_bench.engines.ray.session import end_ray

        end_ray(self._actors.values(), placement_group=self._group)

    def _place(self) -> Any:
        """Reserve the bundles. Raises ConfigError with what the cluster lacks."""
        import ray
        from ray.util.placement_group import placement_group

        config = self._config
        self._bundles = _bundles(config, has_critic=self._roles > 1, engines=self._engines)
        bundles = [
            {"CPU": 1.0} | ({"GPU": float(gpus)} if config.device == "cuda" else {})
            for index in range(max(places.stop for places in self._bundles.values()))
            for gpus in [self._gpus_per_engine if index in self._bundles["engine"] else 1]
        ]
        resources = ray.cluster_resources()
        for kind in ("GPU", "CPU"):
            wanted, found = sum(bundle.get(kind, 0.0) for bundle in bundles), resources.get(kind, 0.0)
            if wanted > found:
                raise ConfigError(
                    f"this run needs {wanted:g} {kind}s in {len(bundles)} bundles, but Ray has {found:g}: "
                    f"{wanted - found:g} are missing. Lower cluster.policy_ranks, cluster.critic_ranks or "
                    f"rollout.num_engines, set cluster.colocate=true, or join a larger cluster (RAY_ADDRESS)."
                )
        cores = int(resources["CPU"] // len(bundles))
        self._engine_threads = max(1, cores)
        self._model_threads = max(1, cores // self._roles) if config.colocate else self._engine_threads
        group = placement_group(bundles, strategy="SPREAD" if config.spread else "PACK")
        if not group.wait(_READY_S):
            free = {kind: amount for kind, amount in ray.available_resources().items() if kind in ("CPU", "GPU")}
            ray.util.remove_placement_group(group)
            raise ConfigError(
                f"Ray could not reserve {len(bundles)} bundles of {bundles[0]} within {_READY_S} s; free now: {free}. "
                f"Another job may hold the rest: wait for it, or stop it."
            )
        return group

    def _start(self, actor_class: type, name: str, *, bundle: int, threads: int, extra: tuple[Any, ...]) -> Any:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        owns_bundle = actor_class is RolloutActor and not self._config.colocate
        share = 1.0 if owns_bundle else _SHARE
        gpus = share * (self._gpus_per_engine if owns_bundle else 1) if self._config.device == "cuda" else 0.0
        environment = {"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        remote: Any = ray.remote(actor_class).options(
            num_cpus=share,
            num_gpus=gpus,
            scheduling_strategy=PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=bundle),
            runtime_env={"env_vars": environment},
        )
        self._actors[name] = remote.remote(*extra, self._log(name))
        return self._actors[name]

    def _send(self, ranks: Sequence[Any], engines: tuple[int, ...]) -> AbstractContextManager[Mapping[int, Any]]:
        route = Route(ranks, engines, workers_per_engine=self._gpus_per_engine, wait=self._wait)
        return TRANSPORTS[self._config.transport](route)

    def _wait(self, references: Sequence[Any], what: str) -> list[Any]:
        """All results in order; the first failure is raised at once, for others may wait for the one that failed."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

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
                raise self._death(cause) from error
            logs = self._last_lines(f"{what.removesuffix('s')}-*")
            raise EngineError(f"a {what} process failed: {cause!r}.\n{logs}") from error
        except RayActorError as error:
            raise self._death(error) from error

    def _death(self, error: Any) -> EngineError:
        """Of whichever process died; the one that waited for it may be another."""
        name = next((name for name, actor in self._actors.items() if actor._actor_id.hex() == error.actor_id), "*")  # noqa: SLF001
        return EngineError(
            f"the process {name} died (out of memory, or killed?). What was finished is kept; the same command goes "
            f"on. It last wrote:\n{self._last_lines(name)}"
        )

    def _log(self, name: str) -> str:
        return str(self._logs / f"{name}.log")

    def _last_lines(self, names: str) -> str:
        logs = sorted(self._logs.glob(f"{names}.log"))
        return "\n".join(f"{log}:\n" + "\n".join(f"  {line}" for line in last_lines(log)) for log in logs)


def _bundles(config: ClusterConfig, *, has_critic: bool, engines: int) -> dict[str, range]:
    """Which bundles each kind of process takes. The reference lies beside the policy that it is compared with."""
    critics = config.critic_ranks if has_critic else 0
    starts = (0, 0) if config.colocate else (config.policy_ranks, config.policy_ranks + critics)
    policy = range(config.policy_ranks)
    return {
        "policy": policy,
        "reference": policy,
        "critic": range(starts[0], starts[0] + critics),
        "engine": range(starts[1], starts[1] + engines),
    }
