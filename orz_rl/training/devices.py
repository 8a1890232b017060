"""Who holds the devices when models and engines cannot use them at the same time: decided once, before the loop."""

from __future__ import annotations

from typing import Protocol

from orz_rl.config import ClusterConfig
from orz_rl.training.learner import Learner
from orz_rl.workers.cluster import Sampler


class Devices(Protocol):
    """The three hand-overs of a step, in this order."""

    def give_to_models(self) -> None:
        """Engines release the device; models are loaded back."""
        ...

    def give_to_engines(self) -> None:
        """Engines allocate memory for their weights; models are still loaded."""
        ...

    def leave_to_engines(self) -> None:
        """Models release the device; engines allocate memory for generation."""
        ...


def devices_for(config: ClusterConfig, *, sampler: Sampler, learner: Learner) -> Devices:
    """Models and engines take turns only if they share GPUs."""
    return TakingTurns(sampler, learner) if config.takes_turns else SideBySide()


class SideBySide:
    """Models and engines have their own devices, or share a CPU: no memory has to be released."""

    def give_to_models(self) -> None:
        """Does nothing."""

    def give_to_engines(self) -> None:
        """Does nothing."""

    def leave_to_engines(self) -> None:
        """Does nothing."""


class TakingTurns:
    """Colocated on GPUs: engines sleep during training, models are offloaded during generation. Has never been run."""

    def __init__(self, sampler: Sampler, learner: Learner) -> None:
        self._sampler, self._learner = sampler, learner

    def give_to_models(self) -> None:
        """Engines drop weights and cache; models are loaded from the host."""
        self._sampler.sleep()
        self._learner.reload()

    def give_to_engines(self) -> None:
        """Engines allocate memory for new weights."""
        self._sampler.wake_weights()

    def leave_to_engines(self) -> None:
        """Models move to the host, and engines allocate memory for their cache."""
        self._learner.offload()
        self._sampler.wake_cache()
