"""The protocol of a backend: a trainer that turns a configuration into a run directory.

Everything else (evaluation, analysis, the app) reads the run directory alone, so nothing depends on which backend wrote
it. docs/backends.md shows one of less than 100 lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from orz_bench.records.run_dir import RunDir
from orz_rl.config import TrainConfig
from orz_rl.names import Estimator
from orz_rl.training.progress import Observer, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend does, for `orz-rl backends` and for its readers."""

    estimators: tuple[Estimator, ...]
    """Values of advantage.estimator that it can express."""
    devices: tuple[Literal["cpu", "cuda"], ...]
    resumes: bool
    """Whether the same command resumes a run."""
    evaluates: bool
    """Whether it evaluates during training; otherwise `orz-bench eval --ckpt RUN` does so afterwards."""
    keeps_tokens: bool
    """Whether its rollouts have token ids and log-probabilities."""
    not_run: str = ""
    """What of it nobody has run yet, where that is so."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a backend can train on this machine."""

    version: str | None
    """Of its library, where it is installed."""
    missing: str = ""
    """What is missing, and how to get it; empty where nothing is."""

    @property
    def is_available(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Finding:
    """One setting that a backend cannot express as it is."""

    setting: str
    """`section.key`."""
    text: str
    """An error: what is unsupported, and what would work. A warning: what is lost."""
    is_error: bool

    def __str__(self) -> str:
        return f"{self.setting}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run to start or to resume: what every backend needs to know."""

    config: TrainConfig
    out: Path
    """The run directory."""
    data: tuple[Path, ...] = ()
    """Folders in which benchmarks' files are looked for."""
    command: tuple[str, ...] = ()
    """The command with which a user starts and resumes it."""
    fresh: bool = False
    """Delete an existing run and start over; otherwise an existing run is resumed."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """What run.json says of the run that it is made from (orz_bench.records.origin); only for the native backend."""


@runtime_checkable
class Backend(Protocol):
    """A trainer. Its module imports no heavy library before `train`."""

    @property
    def name(self) -> str:
        """As in --backend."""
        ...

    @property
    def summary(self) -> str:
        """One line for `orz-rl backends`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it does where it is available."""
        ...

    def available(self) -> Availability:
        """Look for its libraries and their versions. Never raises."""
        ...

    def check(self, config: TrainConfig) -> Sequence[Finding]:
        """Every setting that it cannot express: an error if unsupported, a warning if the mapping loses something."""
        ...

    def plan(self, config: TrainConfig) -> Mapping[str, str]:
        """What it would run, by name, for people; starts nothing."""
        ...

    def train(self, job: Job, observer: Observer) -> Outcome:
        """Start or resume the run and train to its last step. Raises OrzError for what settings or files cause."""
        ...

    def export(self, run: RunDir, step: int, *, out: Path, model: Literal["policy", "critic"] = "policy") -> None:
        """Write the checkpoint of a step to a new folder, in the Hugging Face format."""
        ...


def errors_of(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Those that stop a run."""
    return (finding for finding in findings if finding.is_error)
