"""All figures by name, with their numbers in the paper (Open-Reasoner-Zero, February 2025) and required data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from analysis.curves.study import Group
from analysis.figures import ablations, benchmarks, training
from analysis.figures.spec import FigureSpec
from orz_bench.errors import ConfigError, OrzError, nearest
from orz_bench.installed.plugins import PluginFault, PluginGroup


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
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""


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
"""Ours."""


def _fault_of(figure: Figure) -> str | None:
    """A name that names no files."""
    is_name = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", figure.name) and figure.name != _CHOSEN
    return None if is_name else f"the name {figure.name!r} is not made of letters, digits, _ and - alone, or is taken"


_CHOSEN = "metrics"
FIGURE_GROUP: PluginGroup[Figure] = PluginGroup(
    name="orz.figures", noun="figure", kind=Figure, built_in=FIGURES, fault_of=_fault_of
)
"""Ours, and those that other packages add."""


def get_figure(name: str) -> Figure:
    """The figure of that name; ConfigError with the nearest name if there is none, and for one that cannot be used."""
    if name in FIGURES:
        return FIGURES[name]
    if name not in FIGURE_GROUP.others():
        known = FIGURE_GROUP.names()
        raise ConfigError(f"unknown figure {name!r}{nearest(name, known)}; orz-analysis figures lists all.")
    return replace(FIGURE_GROUP.load(name), package=FIGURE_GROUP.package_of(name))


def drawn(figure: Figure, groups: Sequence[Group]) -> FigureSpec:
    """The figure of these runs. ConfigError, with the name of its package, where another package's code fails."""
    if not figure.package:
        return figure.make(groups)
    try:
        spec = figure.make(groups)
    except OrzError:
        raise
    except Exception as error:  # whatever that package does, ours go on
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"figure {figure.name} of {figure.package} failed ({type(error).__name__}: {reason}); correct that package."
        ) from error
    if not isinstance(spec, FigureSpec):
        raise ConfigError(f"figure {figure.name} of {figure.package} is a {type(spec).__name__}, wanted a FigureSpec.")
    return replace(spec, name=figure.name, caption=f"{spec.caption} Drawn by {figure.package}.".strip())


def all_figures() -> tuple[list[Figure], list[PluginFault]]:
    """Every figure, ours first, and those of other packages that cannot be used."""
    found, faults = FIGURE_GROUP.load_all()
    return [replace(each, package=FIGURE_GROUP.package_of(name)) for name, each in found.items()], faults
