"""Progress display of an evaluation, on stderr: stdout holds results alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import TaskID, TextColumn, TimeRemainingColumn

from orz_bench.errors import counted
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.records.rollout import Rollout
from orz_bench.records.summary import EvalResult
from orz_bench.terminal import BarDisplay

_PLAIN_LINE_SECONDS = 30.0


class ProgressDisplay(BarDisplay):
    """An Observer: a bar with tokens/s, running accuracy and remaining time on a terminal, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        self._task: TaskID | None = None
        self._name = ""

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None:
        """Show a new bar; report the samples that exist already."""
        self._name = f"{evaluation.card.benchmark} step {evaluation.model.step}"
        if num_missing < num_wanted:
            self.notice(
                f"{self._name}: {num_wanted - num_missing:,} of {counted(num_wanted, 'sample')} already generated, "
                f"{num_missing:,} to generate"
            )
        self._total, self._done, self._correct, self._tokens = num_missing, 0, 0, 0
        self._start = self._last_line = time.monotonic()
        self._task = (
            self._bar.add_task(self._name, total=num_missing, rate="starting the engine") if num_missing else None
        )

    def generating(self) -> None:
        """Start the clock."""
        self._start = self._last_line = time.monotonic()
        if self._task is not None:
            self._bar.update(self._task, rate="")

    def committed(self, rollouts: Sequence[Rollout]) -> None:
        """Count these rows."""
        with self._lock:
            self._done += len(rollouts)
            self._correct += sum(rollout.verdict == "correct" for rollout in rollouts)
            self._tokens += sum(rollout.num_tokens for rollout in rollouts)
            now = time.monotonic()
            rate = f"{self._tokens / max(now - self._start, 1e-9):,.0f} tok/s  {self._correct / self._done:.1%} correct"
            if self._task is not None:
                self._bar.update(self._task, completed=self._done, rate=rate)
            if not self._console.is_terminal and now - self._last_line > _PLAIN_LINE_SECONDS:
                self._last_line = now
                left = (now - self._start) / self._done * (self._total - self._done)
                self.notice(f"{self._name}: {self._done:,}/{self._total:,}  {rate}  {left:,.0f} s left")

    def finished(self, result: EvalResult) -> None:
        """Remove the bar."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
