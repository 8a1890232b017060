"""A run and what was computed from it: one row per step, one per evaluation, response features, breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from analysis.behaviours.study import BehaviourStudy
from analysis.boundary.study import BoundaryStudy
from analysis.curves.curve import Curve, curve_of
from analysis.reading.load import Run
from analysis.step_moment.breaks import Break, JointBreak
from analysis.tokens.layer import TokenLayer
from analysis.values.study import ValueStudy
from analysis.weights.moved import MovedWeights
from orz_bench.records.contamination import StoredContamination
from orz_bench.records.summary import EvalResult, Summary
from orz_bench.records.thought_need import ThoughtNeed
from orz_bench.records.thoughts import ThoughtUse

SCORE_COLUMNS = ("benchmark", "step", "fingerprint", "accuracy", "error", "low", "high", "n", "num_problems", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A run with what was computed from it."""

    run: Run
    steps: pd.DataFrame
    """`step` and the metrics, named as in metrics.jsonl."""
    scores: pd.DataFrame
    """SCORE_COLUMNS, one row per finished evaluation; low, high: the wider 95 % interval; length: mean tokens."""
    features: pd.DataFrame | None = None
    """Features of the training rollouts (or a file's responses), one row each; None if texts were not read."""
    lexicon: str = ""
    """Label of the lexicon that the features were counted with."""
    length_unit: Literal["tokens", "characters"] = "tokens"
    """Unit of response lengths in `steps`: characters if a dump has no token counts."""
    breaks: Mapping[str, tuple[Break, ...]] = field(default_factory=dict)
    """Breaks by metric; a metric that was not tested or is too short has no entry."""
    joint_breaks: tuple[JointBreak, ...] = ()
    """Breaks shared by several metrics."""
    values: tuple[ValueStudy, ...] = ()
    """What a critic's values of its responses say, where they were computed (curves.assessed)."""
    boundaries: tuple[BoundaryStudy, ...] = ()
    """What its first and its last checkpoint can solve, by benchmark, where they were compared (curves.bounded)."""
    thoughts: Mapping[str, ThoughtUse] = field(default_factory=dict)
    """What `orz-bench probe` stored, by benchmark and step (curves.probed)."""
    needs: Mapping[str, ThoughtNeed] = field(default_factory=dict)
    """What it stored with a model, by benchmark, step and model."""
    behaviours: tuple[BehaviourStudy, ...] = ()
    """Behaviours that `orz-analysis detect` has marked in its rollouts (curves.behaved)."""
    tokens: TokenLayer | None = None
    """Which tokens its training learned from, where entropies are stored (curves.token_layers)."""
    contamination: tuple[StoredContamination, ...] = ()
    """What `orz-bench contamination` stored, by benchmark (curves.contaminated)."""
    weights: MovedWeights | None = None
    """How far weights moved between two kept checkpoints (curves.weighed)."""

    def series(self, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(steps, values) of a metric, or None if the run lacks it."""
        if metric not in self.steps or not len(self.steps):
            return None
        return self.steps["step"].to_numpy(dtype=float), self.steps[metric].to_numpy(dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Runs that differ only in their seed: drawn as one line, with a band if there are several."""

    label: str
    studies: tuple[Study, ...]

    @property
    def length_unit(self) -> str:
        """Unit of response lengths."""
        return self.studies[0].length_unit

    def curve(self, metric: str) -> Curve | None:
        """The metric over steps, or None if one of the runs lacks it."""
        parts = [study.series(metric) for study in self.studies]
        known = [part for part in parts if part is not None]
        return curve_of(known) if known and len(known) == len(parts) else None

    def score_lines(self, benchmark: str) -> list[ScoreLine]:
        """The scores on a benchmark, one line per protocol: results of two protocols are never joined.

        Each run is in one line, under the protocol that it shares with most others, or else the one with most steps.
        Empty if no run was evaluated.
        """
        tables = [(study, study.scores[study.scores["benchmark"] == benchmark]) for study in self.studies]
        members: dict[Protocol, list[Study]] = {}
        protocols = [protocols_of(table) for _, table in tables]
        for (study, table), known in zip(tables, protocols, strict=True):
            if len(table):
                best = max(known, key=lambda key: (sum(key in other for other in protocols), known[key]))
                members.setdefault(best, []).append(study)
        return [
            ScoreLine(
                label=self._label_of(studies),
                studies=tuple(studies),
                table=_joined([_of_protocol(study.scores, benchmark, protocol=key) for study in studies]),
            )
            for key, studies in members.items()
        ]

    def _label_of(self, studies: Sequence[Study]) -> str:
        if len(studies) == len(self.studies):
            return self.label
        names = ", ".join(study.run.name for study in studies)
        is_a_name = self.label in {study.run.name for study in self.studies}
        return names if is_a_name else f"{self.label} ({names})"


Protocol = tuple[str, int]
"""Fingerprint and number of questions: a subset of the questions is a different test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """Scores of runs that were evaluated under one protocol."""

    label: str
    """Label of the group, with the names of the runs if they are not all of its runs."""
    studies: tuple[Study, ...]
    table: pd.DataFrame
    """By step: accuracy, error, length, low, high. Means over the runs at the steps that all have evaluated; `low` to
    `high` is the 95 % interval of one run, or the range of several runs, whose `error` is NaN."""


def protocols_of(scores: pd.DataFrame) -> dict[Protocol, int]:
    """Number of steps that were evaluated under each protocol, for one benchmark."""
    steps = scores.groupby(["fingerprint", "num_problems"], sort=True)["step"].nunique().reset_index()
    rows = zip(steps["fingerprint"], steps["num_problems"], steps["step"], strict=True)
    return {(str(name), int(num)): int(count) for name, num, count in rows}


def _of_protocol(scores: pd.DataFrame, benchmark: str, *, protocol: Protocol) -> pd.DataFrame:
    fingerprint, num = protocol
    is_in = (
        (scores["benchmark"] == benchmark) & (scores["fingerprint"] == fingerprint) & (scores["num_problems"] == num)
    )
    return scores[is_in]


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    joined = pd.concat(list(tables))
    counts = joined.groupby("step")["accuracy"].agg(["size", "min", "max"])
    shared = counts.index[counts["size"] == len(tables)]
    columns = ["accuracy", "error", "length", "low", "high"]
    table = joined[joined["step"].isin(shared)].groupby("step")[columns].mean()
    if len(tables) > 1:
        table["low"], table["high"] = counts.loc[shared, "min"], counts.loc[shared, "max"]
        table["error"] = np.nan
    return table.reset_index()


def benchmarks_of(groups: Sequence[Group]) -> list[str]:
    """Benchmarks that any run was evaluated on, by name."""
    return sorted({name for group in groups for study in group.studies for name in study.scores["benchmark"]})


def scores_of(results: Sequence[EvalResult]) -> pd.DataFrame:
    """SCORE_COLUMNS of finished evaluations; an evaluation that was regraded counts with its later grades."""
    superseded = {(one.benchmark, one.step, one.regraded_from) for one in results}
    rows = [
        {
            "benchmark": result.benchmark,
            "step": result.step,
            "fingerprint": result.fingerprint,
            "accuracy": result.summary.avg_at_n,
            **_interval(result.summary),
            "n": result.summary.n,
            "num_problems": result.summary.num_problems,
            "length": result.summary.mean_tokens,
        }
        for result in results
        if result.is_scored and (result.benchmark, result.step, result.fingerprint) not in superseded
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _interval(summary: Summary) -> dict[str, float]:
    """The wider 95 % interval and its standard error; NaN if neither is known."""
    found = [one for one in (summary.question, summary.sampling) if one is not None]
    widest = max(found, key=lambda one: one.high - one.low, default=None)
    if widest is None:
        return {"error": np.nan, "low": np.nan, "high": np.nan}
    return {"error": widest.error, "low": widest.low, "high": widest.high}
