"""What the trainer sees of the processes that hold models and engines; implemented in in_process.py and on_ray.py.

A model is a ModelGroup, its methods those of ModelRank on every rank; the engines together are one Sampler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from torch import Tensor

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from orz_rl.ppo.packs import Pack, PackSlice
from orz_rl.workers.messages import CriticPack, ModelSpec, NonFinite, PolicyPack, PolicyTerms, Update

RankMethod = Literal[
    "check_packs",
    "logprobs",
    "top_tokens",
    "values",
    "update_policy",
    "update_critic",
    "save_model",
    "save_state",
    "load_state",
    "offload",
    "reload",
]
"""Methods of ModelRank that a ModelGroup calls."""
EngineMethod = Literal["load_weights", "sleep", "wake_weights", "wake_cache"]
"""Methods of TrainedEngine that a Sampler calls."""
Sources = Mapping[int, Any]
"""The WeightSource of each engine, by its number, or a Ray reference to it."""
Result = TypeVar("Result")


class WorkerDiedError(EngineError):
    """A process of the run died: the run can be resumed by the same command."""


class Pending(Protocol[Result]):
    """A call in progress on every rank of a model."""

    def results(self) -> list[Result]:
        """One result per rank. Raises EngineError if a process died."""
        ...


class ModelGroup(ABC):
    """All ranks of one model. Every method but ready() starts its namesake in ModelRank and returns at once."""

    num_ranks: int

    @abstractmethod
    def ready(self) -> None:
        """Wait until every rank has loaded its share. Raises the error of a rank that failed."""

    @abstractmethod
    def sending_weights(self, engines: tuple[int, ...]) -> AbstractContextManager[Sources]:
        """A context in which all weights are sent to these engines; yields the source for each."""

    @abstractmethod
    def start(self, method: RankMethod, shares: Sequence[Any] | None = None, **settings: Any) -> Pending[Any]:
        """Call a method on every rank with the same settings, and with one share of the data for each rank."""

    def check_packs(self, *, max_tokens: int, share_prompts: bool) -> Pending[None]:
        """Check that the model gives the same outputs for packed sequences as for single ones."""
        return self.start("check_packs", max_tokens=max_tokens, share_prompts=share_prompts)

    def logprobs(self, packs: Sequence[Sequence[Pack | PackSlice]]) -> Pending[list[Tensor]]:
        """Log-probabilities of the response tokens of each rank's packs."""
        return self.start("logprobs", packs)

    def top_tokens(self, packs: Sequence[Sequence[Pack | PackSlice]], *, top_k: int) -> Pending[list[Tensor]]:
        """The most probable tokens in the place of each response token of each rank's packs: TopTokens.packed()."""
        return self.start("top_tokens", packs, top_k=top_k)

    def values(self, packs: Sequence[Sequence[Pack | PackSlice]]) -> Pending[list[Tensor]]:
        """The critic's values before the response tokens of each rank's packs."""
        return self.start("values", packs)

    def update_policy(
        self, batches: Sequence[Sequence[Sequence[PolicyPack]]], *, lr: Sequence[float], terms: PolicyTerms
    ) -> Pending[list[Update] | NonFinite]:
        """One optimiser step per batch of each rank, at its learning rate."""
        return self.start("update_policy", batches, lr=lr, terms=terms)

    def update_critic(
        self, batches: Sequence[Sequence[Sequence[CriticPack]]], *, lr: Sequence[float], clip: float | None
    ) -> Pending[list[Update] | NonFinite]:
        """One optimiser step per batch of each rank, at its learning rate."""
        return self.start("update_critic", batches, lr=lr, clip=clip)

    def save_model(self, folder: Path) -> Pending[None]:
        """Write a Hugging Face checkpoint."""
        return self.start("save_model", folder=folder)

    def save_state(self, folder: Path) -> Pending[None]:
        """Write the whole training state."""
        return self.start("save_state", folder=folder)

    def load_state(self, folder: Path) -> Pending[None]:
        """Load what save_state() wrote with the same number of ranks."""
        return self.start("load_state", folder=folder)

    def offload(self) -> Pending[int]:
        """Release the device; the bytes that each rank freed."""
        return self.start("offload")

    def reload(self) -> Pending[None]:
        """Load what offload() moved to the host."""
        return self.start("reload")


class Sampler(ABC):
    """One engine or several whose weights follow the policy. An Engine of orz_bench to whoever only generates."""

    @property
    @abstractmethod
    def engines(self) -> tuple[int, ...]:
        """The numbers of the engines that are alive."""

    @abstractmethod
    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield lists of completions as the engines report them."""

    @abstractmethod
    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        """Lists of completions, possibly empty, until all are there, or `until()`; returns what was read and not
        finished.

        These requests have what was drawn of them, and go on from there when they are drawn again, also with other
        weights. An iterator that has ended is asked again: it may have been refilled.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop every engine."""

    @abstractmethod
    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        """Call a method on every engine with the same settings, and with its own source if there are sources."""

    def updating(self) -> AbstractContextManager[None]:
        """A context in which the engines stay the same ones and nobody asks them for more."""
        return nullcontext()

    def load_weights(self, sources: Sources, *, version: int) -> None:
        """Give every engine the weights of its source; completions sampled afterwards carry `version`."""
        self.on_all("load_weights", sources, version=version)

    def sleep(self) -> None:
        """Release the devices for the models."""
        self.on_all("sleep")

    def wake_weights(self) -> None:
        """Allocate memory for weights."""
        self.on_all("wake_weights")

    def wake_cache(self) -> None:
        """Allocate memory for generation."""
        self.on_all("wake_cache")


class Cluster(Protocol):
    """Starts and stops models and engines."""

    def open_model(self, spec: ModelSpec, num_ranks: int) -> ModelGroup:
        """Start every rank of a model."""
        ...

    def open_sampler(self, spec: EngineSpec) -> Sampler:
        """Start the engines."""
        ...

    def close(self) -> None:
        """Stop every process that was started."""
        ...
