"""Runs as analysis sees them, whatever they were read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from analysis.reading.metric_files import by_step
from analysis.reading.run_rollouts import Rollouts
from orz_bench.records.origin import Origin
from orz_bench.records.summary import EvalResult

_NO_METRICS = by_step(pd.DataFrame())


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The responses of one benchmark, step and protocol, and the statistics if it has finished."""

    benchmark: str
    step: int
    fingerprint: str
    """Empty if the protocol is unknown."""
    samples: Rollouts
    result: EvalResult | None = None
    num_lost: int = 0
    """Samples that the summary counts and no readable part holds: with any, it is not compared. 0 if none was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as far as it has been written."""

    name: str
    path: Path
    kind: Literal["train", "eval", "dump", "folder", "file"]
    state: Literal["done", "failed", "open", "unknown"] = "unknown"
    seed: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """config.yaml, nested."""
    origin: Origin = field(default_factory=Origin)
    """The run that it was made from, and the control of its rewards."""
    metrics: pd.DataFrame = field(default_factory=_NO_METRICS.copy)
    """In the form of metric_files.by_step."""
    rollouts: Rollouts | None = None
    """Rollouts of training; for a file of responses: all of them."""
    evaluations: tuple[Evaluation, ...] = ()
    warnings: tuple[tuple[int, str], ...] = ()
    """(step, text) of each health warning of training."""
    notes: tuple[str, ...] = ()
    """What could not be read, and whatever else a reader of the figures has to know."""

    @property
    def results(self) -> list[EvalResult]:
        """Results of the finished evaluations, by benchmark and step."""
        return [evaluation.result for evaluation in self.evaluations if evaluation.result is not None]
