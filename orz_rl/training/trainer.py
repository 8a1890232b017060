"""One training step, from problems to new weights in the engines: `Trainer.step` is the algorithm.

What surrounds a step (resuming, metrics, checkpoints, evaluation) is in orz_rl.training.loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.estimate import Estimate, estimate, token_rewards
from orz_rl.rollout.collector import Collected, Collector
from orz_rl.training.learner import Learned, Learner, Scores
from orz_rl.workers.sampler import Sampler


@dataclass(frozen=True, slots=True)
class StepReport:
    """Everything that one step found, for metrics and for the rollout file."""

    step: int
    policy_version: int
    collected: Collected
    batch: Batch
    scores: Scores
    estimate: Estimate
    learned: Learned
    seconds: dict[str, float]
    """Wall time of each phase: sample, score, update, sync."""


class Devices(Protocol):
    """Who owns the devices when models and engines cannot have them at the same time."""

    def give_to_models(self) -> None:
        """Engines let go, models come back."""
        ...

    def give_to_engines(self) -> None:
        """Engines take memory for their weights; models are still there."""
        ...

    def leave_to_engines(self) -> None:
        """Models let go, engines take memory to draw."""
        ...


class Trainer:
    """Policy, critic and engines at work."""

    def __init__(
        self, config: TrainConfig, *, collector: Collector, learner: Learner, sampler: Sampler, devices: Devices
    ) -> None:
        self.config = config
        self._collector, self._devices = collector, devices
        self.learner, self.sampler = learner, sampler
        self.policy_version = 0
        self.cursor = 0
        self.last_batch: Batch | None = None

    def step(self, number: int, *, on_committed: Callable[[Sequence[Rollout]], None]) -> StepReport:
        """Step `number`, counted from 1: sample, grade, score, estimate, update, synchronise."""
        config, version = self.config, self.policy_version
        clock = Stopwatch()
        with clock.phase("sample"):
            collected = self._collector.collect(
                number, policy_version=version, cursor=self.cursor, on_committed=on_committed
            )
            self.last_batch = batch = Batch.of(collected.rollouts)
        with clock.phase("score"):
            self._devices.give_to_models()
            scores = self.learner.score(batch)
            estimated = estimate(
                config.advantage.estimator,
                token_rewards(batch.rewards_B, batch.mask_BT, penalty_BT=scores.kl_penalty_BT),
                values_BT=scores.values_BT,
                group_B=batch.group_B,
                mask_BT=batch.mask_BT,
                discounts=config.advantage,
            )
        with clock.phase("update"):
            learned = self.learner.update(batch, scores, estimate=estimated, step=number)
        with clock.phase("sync"):
            self.synchronise(version + 1)
        self.cursor = collected.cursor
        return StepReport(number, version, collected, batch, scores, estimated, learned, clock.seconds)

    def synchronise(self, version: int) -> None:
        """Give the engines the policy's weights; what they draw from now on carries `version`."""
        self._devices.give_to_engines()
        with self.learner.sending_weights(self.sampler.engines) as sources:
            self.sampler.load_weights(sources, version=version)
        self._devices.leave_to_engines()
        self.policy_version = version

    @contextmanager
    def models_on_device(self) -> Iterator[None]:
        """For saving between steps; the engines have the device before and after."""
        self._devices.give_to_models()
        yield
        self.synchronise(self.policy_version)


class SideBySide:
    """Models and engines have devices of their own, or share a CPU: nobody has to let go."""

    def give_to_models(self) -> None:
        """Nothing."""

    def give_to_engines(self) -> None:
        """Nothing."""

    def leave_to_engines(self) -> None:
        """Nothing."""


class TakingTurns:
    """Colocated on GPUs: engines sleep while models learn, models are offloaded while engines draw. Never run."""

    def __init__(self, sampler: Sampler, learner: Learner) -> None:
        self._sampler, self._learner = sampler, learner

    def give_to_models(self) -> None:
        """Engines drop weights and cache; models come back from the host."""
        self._sampler.sleep()
        self._learner.on_all("reload")

    def give_to_engines(self) -> None:
        """Engines take memory for new weights."""
        self._sampler.wake_weights()

    def leave_to_engines(self) -> None:
        """Models move to the host, and engines take memory for their cache."""
        self._learner.on_all("offload")
        self._sampler.wake_cache()


class Stopwatch:
    """Seconds of named phases."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add what passes inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
