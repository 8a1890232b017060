"""Which rows of a run are exported: whole evaluations and steps of training, as plain records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, RunDirError
from orz_bench.records.run_dir import RolloutsDir, RunDir, read_json
from orz_bench.records.summary import EvalResult

Row = dict[str, Any]
_KEPT = (
    "benchmark", "step", "verdict", "extracted", "num_tokens", "stop_reason", "why", "reward", "advantage",
    "second_extractor", "second_extracted", "second_verdict", "grader_version", "seed", "policy_version",
)  # fmt: skip
_FILLED = ("question", "prompt", "gold")
"""Texts for which other tools have a field that cannot be empty."""


def kept(row: Row) -> Row:
    """What a tool's own fields do not hold of a row: for a field of its format that is free, so that it comes back."""
    unknown: Row = {name: None for name in _FILLED if row[name] is None}
    return unknown | {name: row[name] for name in _KEPT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One evaluation, or the rollouts of one training step."""

    benchmark: str
    """`train` for rollouts of training."""
    step: int
    fingerprint: str
    """Empty for rollouts of training."""
    folder: RolloutsDir
    card: Mapping[str, Any]
    """The protocol card, where there is one."""
    result: EvalResult | None

    @property
    def kind(self) -> str:
        """`evaluation` or `rollouts` (of training)."""
        return "evaluation" if self.fingerprint else "rollouts"

    @property
    def name(self) -> str:
        """As a part of a file's name."""
        return "-".join(filter(None, [self.benchmark, f"step{self.step:06d}", self.fingerprint]))

    def rows(self) -> list[Row]:
        """The rows by problem and sample; `extra` as an object, token ids and log-probabilities included."""
        rows: list[Row] = self.folder.read().to_pylist()
        for row in rows:
            row["extra"] = json.loads(row["extra"]) if row["extra"] else {}
        return sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"]))


def chosen(
    run: Path, *, benchmarks: tuple[str, ...] = (), step: int | None = None, rollouts: bool = False
) -> list[Exported]:
    """The run's evaluations (of these benchmarks, of this step), or the rollouts of training.

    Raises RunDirError if the folder is not a run, ConfigError if nothing is left.
    """
    directory = RunDir(run)
    directory.info()
    found = list(_rollouts(directory) if rollouts else _evaluations(directory))
    kept = [
        one for one in found if (not benchmarks or one.benchmark in benchmarks) and (step is None or one.step == step)
    ]
    if not kept:
        have = ", ".join(sorted({f"{one.benchmark} at step {one.step}" for one in found})) or "nothing"
        raise ConfigError(
            f"{run}: nothing to export for that choice; it has {have}"
            f"{'' if rollouts else ' (--rollouts exports the rollouts of training)'}."
        )
    return kept


def _evaluations(run: RunDir) -> Iterator[Exported]:
    for evaluation in run.evaluations():
        protocol = read_json(evaluation.protocol_path) if evaluation.protocol_path.exists() else {}
        yield Exported(
            benchmark=evaluation.benchmark,
            step=evaluation.step,
            fingerprint=evaluation.fingerprint,
            folder=evaluation,
            card=protocol.get("card", {}) | ({"model": protocol["model"]} if "model" in protocol else {}),
            result=evaluation.result(),
        )


def _rollouts(run: RunDir) -> Iterator[Exported]:
    for step, folder in run.sampled_steps():
        yield Exported(benchmark="train", step=step, fingerprint="", folder=folder, card={}, result=None)


def new_folder(path: Path) -> Path:
    """An empty folder for the files. Raises RunDirError for one in use."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunDirError(f"{path}: not empty; choose a new folder with --out.")
    path.mkdir(parents=True, exist_ok=True)
    return path
