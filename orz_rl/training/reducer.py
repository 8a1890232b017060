"""Applies `rollouts.keep` to the steps before a checkpoint: what no rule keeps of their rollouts is dropped.

Steps since the last checkpoint stay whole, because resuming uses them; so do the newest K steps of a rule `last:K`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from orz_bench.errors import RunDirError
from orz_bench.records.keep_rules import Content, Retention
from orz_bench.records.retention import REDUCED, reduce_step
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_rl.training.checkpoint import Checkpoints


class Reducer:
    """Reduces a run's old steps, each once; after a kill it goes on where it stopped."""

    def __init__(self, run: RunDir, retention: Retention, *, notice: Callable[[str], None]) -> None:
        self._run, self._retention, self._notice = run, retention, notice
        self._rules = {name: str(rule) for name, rule in retention.rules.items()}
        self._through = self._reduced_before()

    def reduce(self, newest: int) -> None:
        """After the checkpoint of step `newest`. Says which steps could not be reduced; nothing of them is lost."""
        through = newest - self._retention.num_last
        if self._retention.keeps_all or through <= self._through:
            return
        dropped: Counter[str] = Counter()
        for step, folder in self._run.sampled_steps():
            if self._through < step <= through:
                dropped.update(self._reduced(folder, step=step))
        self._through = through
        self._run.add_event(REDUCED, through=through, rules=self._rules, rows=dict(dropped))

    def _reduced(self, folder: RolloutsDir, *, step: int) -> dict[Content, int]:
        try:
            with folder.lock():
                return reduce_step(folder, self._retention, step=step)
        except RunDirError as error:
            self._notice(f"step {step}: its rollouts stay as they are: {error}")
            return {}

    def _reduced_before(self) -> int:
        """The last step that these rules were applied to; steps that are trained again count anew."""
        events = self._run.events(REDUCED)
        if not events or events[-1].get("rules") != self._rules:
            return 0
        complete = Checkpoints(self._run).complete()
        return min(int(events[-1]["through"]), complete[-1].step if complete else 0)
