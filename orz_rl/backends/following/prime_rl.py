"""prime-rl (read at 559b447): metrics.jsonl, and traces.jsonl of every step.

Trainer and orchestrator write into one metrics.jsonl, each several rows a step, and the orchestrator is some steps
ahead: a step is complete when both have passed it. `effective` counts where both it and `all` exist. Steps are numbered
as prime-rl does. How rows and traces are read: orz_bench/exchange/formats/prime_rl.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orz_bench.exchange.formats.prime_rl import MetricsParser, place_of, sample_of, traces_in
from orz_bench.exchange.logs.line import Line
from orz_bench.exchange.logs.values import json_row
from orz_bench.records.foreign_metrics import same_metrics
from orz_rl.backends.following.feeds import LogFeed, first_row
from orz_rl.backends.following.texts import whole_lines
from orz_rl.backends.following.tool import Dump, Feed, Row, row_of

METRICS = same_metrics("prime-rl")
_FINISHED = ("RL trainer finished!", "Training finished!")


@dataclass
class TrainerLogParser:
    """The trainer's own log: only whether it has finished."""

    ended: bool = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        self.ended = self.ended or any(mark in text for mark in _FINISHED)
        return iter(())

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return False


class PrimeRlTool:
    """See the module."""

    name = "prime-rl"
    signs = "rollouts/step_N/{train,eval}/**/traces.jsonl, or metrics.jsonl with rows step, time and names"
    dumped_by = "orchestrator"
    overwritten_by = ""
    metrics = METRICS

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name == "trainer.log":  # of the newest attempt, where the link to it exists
            latest = path.parent.parent / "latest" / path.name
            return LogFeed(latest if latest.exists() else path, TrainerLogParser())
        if path.suffix != ".jsonl" or not (is_named or path.name == "metrics.jsonl"):
            return None
        row = first_row(path)
        return (
            LogFeed(path, MetricsParser(path), has_whole_steps=False) if row and {"step", "time"} <= set(row) else None
        )

    def dump(self, path: Path) -> Dump | None:
        """See Tool."""
        place = place_of(path) if path.name == "traces.jsonl" else None
        if place is None:
            return None
        return Dump(path, place.step, "validation" if place.is_evaluation else None, rank=place.rank)

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """See Tool."""
        for at, line in enumerate(whole_lines(dump.path, is_last=is_last), start=1):
            episode = json_row(line)
            if episode is None:
                yield f"line {at}", None
                continue
            for number_, trace in enumerate(traces_in(episode), start=1):
                yield f"line {at}, trace {number_}", row_of(sample_of(episode, trace, number_=at))


TOOL = PrimeRlTool()
