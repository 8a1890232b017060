"""One training step, from problems to new weights in the engines: `Trainer.step` is the algorithm.

What surrounds a step (resuming, metrics, checkpoints, evaluation) is in orz_rl.training.loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orz_rl.config import TrainConfig
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.parts import Estimate
from orz_rl.rollout.ahead import Place, Steps
from orz_rl.rollout.collector import StepRollouts, learned
from orz_rl.training.devices import Devices
from orz_rl.training.learner import Learner, Scores, Updates, estimated
from orz_rl.training.stopwatch import Stopwatch
from orz_rl.workers.cluster import Sampler


@dataclass(frozen=True, slots=True)
class StepReport:
    """Everything that one step produced, for metrics and for the rollout file."""

    step: int
    policy_version: int
    collection: StepRollouts
    batch: Batch
    """Of the rollouts that are learned: without those that reward.truncated masks."""
    scores: Scores
    estimate: Estimate
    updates: Updates
    seconds: dict[str, float]
    """Wall time of each phase: sample, score, update, sync."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """CPU time of each phase, where models and engine are in this process; else empty."""


class Trainer:
    """Policy, critic and engines of a run, and the position that it has reached."""

    def __init__(
        self, config: TrainConfig, *, ahead: Steps, learner: Learner, sampler: Sampler, devices: Devices
    ) -> None:
        self.config = config
        self._ahead, self._devices = ahead, devices
        self.learner, self.sampler = learner, sampler
        self.policy_version = 0
        self.cursor, self.beyond = 0, tuple[int, ...]()
        self.last_batch: Batch | None = None

    def begin(self, place: Place) -> None:
        """Go on from here: give the engines the policy's weights."""
        self.cursor, self.beyond = place.cursor, place.beyond
        self._ahead.begin(place)
        self.synchronise(place.policy_version)

    def step(self, number: int) -> StepReport:
        """Step `number`, counted from 1: sample (or take what is sampled), score, estimate, update, synchronise."""
        config, version = self.config, self.policy_version
        clock = Stopwatch()
        with clock.phase("sample"):
            collection = self._ahead.take()
            self.last_batch = batch = Batch.of(
                learned(collection.rollouts, truncated=config.reward.truncated),
                share_prompts=config.cluster.share_prompts,
                is_sampled=not config.is_supervised,
                is_rewarded=not config.has_teacher,
            )
        with clock.phase("score"):
            self._devices.give_to_models()
            scores = self.learner.score(batch, step=number)
            found = estimated(batch, scores, config=config)
        with clock.phase("update"):
            updates = self.learner.update(batch, scores, estimate=found, step=number)
        with clock.phase("sync"):
            self.synchronise(version + 1)
        self.cursor, self.beyond = collection.cursor, collection.beyond
        cpu_seconds = clock.cpu_seconds if config.cluster.in_process else {}
        return StepReport(number, version, collection, batch, scores, found, updates, clock.seconds, cpu_seconds)

    def synchronise(self, version: int) -> None:
        """Give the engines the policy's weights; completions sampled afterwards carry `version`."""
        self._devices.give_to_engines()
        if self.sampler.engines:
            with self.sampler.updating(), self.learner.sending_weights(self.sampler.engines) as sources:
                self.sampler.load_weights(sources, version=version)
        self._devices.leave_to_engines()
        self.policy_version = version
        self._ahead.engines_hold(version)

    @contextmanager
    def models_on_device(self) -> Iterator[None]:
        """A context for saving between steps; the engines hold the device before and after."""
        self._devices.give_to_models()
        yield
        self.synchronise(self.policy_version)
