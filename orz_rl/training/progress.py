"""What training reports while it runs, and returns when it has ended; the same for every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult


class Observer(Protocol):
    """Receives progress events of training."""

    def notice(self, text: str) -> None:
        """Information for the user."""
        ...

    def warn(self, text: str) -> None:
        """A warning that the user should act on."""
        ...

    def sampled(self, rollouts: Sequence[Rollout]) -> None:
        """These rollouts are on disk (possibly called on another thread)."""
        ...

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None:
        """A step is complete; its row of metrics."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a run: the rows of its metrics, and its evaluations."""

    run: RunDir
    rows: list[dict[str, Any]]
    results: list[EvalResult]
