"""Taking turns on a device: engines sleep while models are loaded, and weights are sent before models leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from orz_rl.recipes.registry import resolve
from orz_rl.rollout.ahead import Ahead
from orz_rl.rollout.collector import StepRollouts
from orz_rl.training.devices import TakingTurns
from orz_rl.training.learner import Learner
from orz_rl.training.trainer import Trainer
from orz_rl.workers.cluster import Sampler


class Diary:
    """Sampler and learner in one, recording their calls."""

    engines = (0, 1)

    def __init__(self) -> None:
        self.lines: list[str] = []

    def updating(self) -> AbstractContextManager[None]:
        return nullcontext()

    def sleep(self) -> None:
        self.lines.append("engines sleep")

    def wake_weights(self) -> None:
        self.lines.append("engines take room for weights")

    def wake_cache(self) -> None:
        self.lines.append("engines take room to generate")

    def load_weights(self, sources: Mapping[int, Any], *, version: int) -> None:
        self.lines.append(f"engines {sorted(sources)} load version {version}")

    def offload(self) -> None:
        self.lines.append("models offload")

    def reload(self) -> None:
        self.lines.append("models reload")

    @contextmanager
    def sending_weights(self, engines: tuple[int, ...]) -> Iterator[Mapping[int, Any]]:
        self.lines.append("policy sends")
        yield dict.fromkeys(engines)
        self.lines.append("policy has sent")


def _collects_nothing(step: int, *, policy_version: int, cursor: int) -> StepRollouts:
    raise AssertionError


def test_weights_arrive_before_the_models_leave_the_device() -> None:
    diary = Diary()
    sampler, learner = cast("Sampler", diary), cast("Learner", diary)
    devices = TakingTurns(sampler, learner)
    trainer = Trainer(
        resolve("tiny"),
        ahead=Ahead(_collects_nothing, max_staleness=0, num_steps=1),
        learner=learner,
        sampler=sampler,
        devices=devices,
    )
    with trainer.models_on_device():
        diary.lines.append("save")
    trainer.synchronise(5)
    sending = [
        "engines take room for weights",
        "policy sends",
        "engines [0, 1] load version {}",
        "policy has sent",
        "models offload",
        "engines take room to generate",
    ]
    wanted = ["engines sleep", "models reload", "save", *sending, *sending]
    versions = iter((0, 5))
    assert diary.lines == [line.format(next(versions)) if "{}" in line else line for line in wanted]
    assert trainer.policy_version == 5
