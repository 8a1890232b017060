"""How often a model answers correctly: rows that are too easy, too hard or never answered are dropped.

With a model, the evaluation of orz-bench samples every question n times into a run directory, which resumes sample by
sample and stays; without one, the counts are read from columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, DataError
from orz_rl.assets.resolve import resolve_model
from orz_rl.curation.parts import whole_file
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import PassRateSettings
from orz_rl.curation.stages.stage import Decide, Parts

_TABLE = "questions.jsonl"
_DECIDED = {"checkpoint", "benchmarks", "out", "n", "seed"}
_SERVERS = ("openai", "fake")
"""Engines whose model is a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Correct samples of a problem."""

    num_correct: int
    num_samples: int

    @property
    def rate(self) -> float:
        """The share."""
        return self.num_correct / self.num_samples


@dataclass(frozen=True, slots=True)
class PassRate:
    """The stage."""

    settings: PassRateSettings
    seed: int
    folder: Path
    """The run directory of the model's answers."""
    name: str = "pass_rate"
    is_local: bool = False

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; with a model, generates what is missing."""
        if self.settings.model is None:
            yield lambda rows: Outcome([self._fate(row, self._of_columns(row)) for row in rows])
            return
        counts = self._sampled(incoming, scratch)
        yield lambda rows: Outcome([self._fate(row, counts[row.id]) for row in rows])

    def _of_columns(self, row: Row) -> Count | None:
        correct = row.extra.get(self.settings.correct_column)
        samples: Any = self.settings.samples
        if self.settings.samples_column is not None:
            samples = row.extra.get(self.settings.samples_column)
        if correct is None or samples is None:
            return None
        if not isinstance(correct, int) or not isinstance(samples, int) or not 0 <= correct <= samples or not samples:
            raise DataError(
                f"{row.source}, {row.place}: {correct!r} correct of {samples!r} samples is no pass count; correct the "
                f"row, or name other columns in pass_rate.correct_column and samples_column."
            )
        return Count(num_correct=correct, num_samples=samples)

    def _fate(self, row: Row, count: Count | None) -> Fate:
        if count is None:
            column = self.settings.correct_column
            return Fate(row=row, reason="no_pass_count", evidence={"column": column})
        evidence = {"correct": count.num_correct, "samples": count.num_samples}
        counted = replace(row, extra={**row.extra, "num_correct": count.num_correct, "num_samples": count.num_samples})
        if count.num_correct == 0 and self.settings.above_zero:
            return Fate(row=counted, reason="never_correct", evidence=evidence)
        if count.rate < self.settings.min:
            return Fate(row=counted, reason="too_hard", evidence=evidence)
        if count.rate > self.settings.max:
            return Fate(row=counted, reason="too_easy", evidence=evidence)
        return Fate(row=counted)

    def _sampled(self, incoming: Parts, scratch: Path) -> Mapping[str, Count]:
        scratch.mkdir(parents=True, exist_ok=True)
        table = scratch / _TABLE
        num_rows = _written(incoming, table)
        if not num_rows:
            return {}
        import orz_bench

        assert self.settings.model is not None, "only called with a model"
        results = orz_bench.evaluate(
            place_of(self.settings),
            benchmarks=[f"{table}:question=problem:answer=answer:id=id"],
            out=self.folder,
            n=self.settings.samples,
            seed=self.seed,
            **self.settings.options,
        )
        return counts_of(results.table.select(["problem_id", "verdict"]).to_pydict())


def place_of(settings: PassRateSettings) -> str:
    """What orz-bench calls the model. ConfigError for a checkpoint that cannot be used, or a wrong option."""
    from orz_bench.api import options_of
    from orz_bench.evaluation.options import EvalOptions

    assert settings.model is not None, "only called with a model"
    reserved = sorted(_DECIDED & settings.options.keys())
    if reserved:
        raise ConfigError(f"pass_rate.options: {reserved[0]} is decided by the other settings; leave it out.")
    try:
        options_of(EvalOptions, {"checkpoint": settings.model, **settings.options})
    except ConfigError as error:
        raise ConfigError(f"pass_rate.options: {error}") from error
    if settings.options.get("engine") in _SERVERS:
        return settings.model
    return resolve_model(settings.model, setting="pass_rate.model")


def counts_of(columns: Mapping[str, Sequence[str]]) -> dict[str, Count]:
    """Counts by problem from the verdicts on its samples."""
    found: dict[str, list[bool]] = {}
    for id_, verdict in zip(columns["problem_id"], columns["verdict"], strict=True):
        found.setdefault(id_, []).append(verdict == "correct")
    return {id_: Count(num_correct=sum(each), num_samples=len(each)) for id_, each in found.items()}


def _written(incoming: Parts, path: Path) -> int:
    """The questions as a table for orz-bench; their number."""
    count = 0
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for rows in incoming:
            for row in rows:
                file.write(json.dumps({"id": row.id, "problem": row.question, "answer": row.answer}) + "\n")
            count += len(rows)
    return count
