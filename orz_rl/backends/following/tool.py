"""What a followed trainer is: how its files are found and read, and what its metrics are called here.

A tool only reads: what is complete, and what becomes of it, is decided by `growing`, `curves`, `dumps` and `follow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs.line import Line, Log
from orz_bench.records.metrics import METRICS

Row = dict[str, Any]


class Feed(Log, Protocol):
    """The metrics of one log, which may be several files, as they grow."""

    @property
    def ended(self) -> bool:
        """Whether the log says that training has ended."""
        ...

    def poll(self, *, is_last: bool) -> Iterator[Line | str]:
        """What is complete and was not returned before, in order; texts are for the user.

        `is_last`: nothing more will be written.
        """
        ...

    def close(self) -> None:
        """Close its files."""
        ...


@dataclass(frozen=True, slots=True)
class Dump:
    """A file of the rollouts of one step."""

    path: Path
    step: int
    benchmark: str | None = None
    """The evaluation that it belongs to; None for rollouts of training."""
    rank: int = 0
    """Of several files with the rollouts of one step, the one with the highest rank counts."""


class Tool(Protocol):
    """A trainer whose runs can be followed."""

    @property
    def name(self) -> str:
        """As in --from."""
        ...

    @property
    def signs(self) -> str:
        """The files by which its runs are recognised, for messages."""
        ...

    @property
    def dumped_by(self) -> str:
        """The writer (see Line) whose steps the dumps have."""
        ...

    @property
    def overwritten_by(self) -> str:
        """How the metrics begin of evaluations that overwrite the dump of their step; empty where none do."""
        ...

    @property
    def metrics(self) -> Mapping[str, str]:
        """Names of its metrics whose meaning is exactly that of one of ours -> our name."""
        ...

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """The log that this file belongs to; None for any other file. `is_named`: the user named this very file."""
        ...

    def dump(self, path: Path) -> Dump | None:
        """The step of a file of rollouts; None for any other file."""
        ...

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """(place, row in the columns of a rollout) for every rollout of a dump; None for a broken row.

        Columns that it lacks are absent, and `extra` is a dictionary.
        NotComplete where the file is still being written, as far as one can tell; not if `is_last`.
        """
        ...


def our_name(tool: Tool, name: str) -> str:
    """The name of a metric in metrics.jsonl: ours where the meaning is the same, else its own behind the tool's."""
    return tool.metrics.get(name) or f"{tool.name}/{name}"


def row_of(sample: ForeignSample) -> Row:
    """A sample of a file as a row in the columns of a rollout."""
    return {
        "benchmark": sample.benchmark,
        "question": sample.question,
        "prompt": sample.prompt,
        "gold": sample.gold,
        "completion": sample.completion or "",
        "reward": sample.reward,
        "advantage": sample.advantage,
        "verdict": sample.verdict,
        "why": sample.judge or None if sample.verdict else None,
        "extracted": sample.extracted,
        "num_tokens": sample.num_tokens,
        "stop_reason": sample.stop_reason,
        "extra": dict(sample.extra),
    } | dict(sample.columns)


def ordered(row: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a step in the order of the catalogue, others by name behind them."""
    return {name: row[name] for name in METRICS if name in row} | {name: row[name] for name in sorted(row)}
