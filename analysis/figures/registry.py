"""All figures by name, with their numbers in the paper (Open-Reasoner-Zero, February 2025) and required data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from analysis.curves.study import Group
from analysis.figures import ablations, benchmarks, training
from analysis.figures.spec import FigureSpec
from orz_bench.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that can be made from runs."""

    name: str
    paper: str
    """Its number in the paper; empty for one of ours."""
    needs: str
    make: Callable[[Sequence[Group]], FigureSpec]
    metrics: tuple[str, ...] = ()
    """Training metrics that it draws: if metrics.jsonl lacks one, rollouts are read for it."""


_TRAINED = ("reward/mean", "response/length_mean")
_REFLECTING = (*_TRAINED, "reflection/rate", "reflection/correct_length_mean")
_ABLATION = "two or more experiments that differ in {}; seeds of one experiment become a band"
_ALL = (
    Figure("benchmarks", "1, 11", "evaluations at several steps", benchmarks.benchmarks),
    Figure("training", "2", "a training run", training.training, _TRAINED),
    Figure("format", "4", "a training run", training.form, ("format/adherence", "format/answer_rate")),
    Figure("accuracy-length", "5", "a training run with evaluations", benchmarks.accuracy_and_length, _TRAINED),
    Figure("length", "6", "two or more runs or length curves", benchmarks.length_beside_others, _TRAINED[1:]),
    Figure("reflection", "7", "a training run", training.reflection, _REFLECTING),
    Figure("lambda", "8", _ABLATION.format("advantage.lam or estimator"), ablations.LAMBDA, _TRAINED),
    Figure("kl", "9", _ABLATION.format("loss.kl_loss or kl_penalty"), ablations.KL, _TRAINED),
    Figure("data-scale", "10", _ABLATION.format("data.limit or source"), ablations.DATA_SCALE, _TRAINED),
    Figure("curation", "12", _ABLATION.format("data.source or language"), ablations.CURATION, _TRAINED),
    Figure("batch", "13", _ABLATION.format("problems, samples or updates per step"), ablations.BATCH, _TRAINED),
    Figure("lambda-kl", "14", _ABLATION.format("lambda or KL"), ablations.LAMBDA_KL, _TRAINED),
    Figure("sampling", "15", _ABLATION.format("rollout.temperature, top_p or top_k"), ablations.SAMPLING, _TRAINED),
    Figure("comparison", "", _ABLATION.format("any setting"), ablations.COMPARISON, _TRAINED),
    Figure("lengths", "", "a training run", training.lengths, ("response/length_median", "response/clip_rate")),
    Figure("health", "", "a training run", training.health, ("policy/entropy", "response/repetition")),
)
FIGURES: Mapping[str, Figure] = MappingProxyType({figure.name: figure for figure in _ALL})


def get_figure(name: str) -> Figure:
    """The figure of that name; ConfigError with the nearest name if there is none."""
    if name not in FIGURES:
        raise ConfigError(f"unknown figure {name!r}{nearest(name, FIGURES)}; orz-analysis figures lists all.")
    return FIGURES[name]
