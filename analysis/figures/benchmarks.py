"""Figures of evaluations: accuracy and length on benchmarks over training."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.study import Group, benchmarks_of
from analysis.figures.captions import caption
from analysis.figures.panels import NothingToCompareError, present, score_panel
from analysis.figures.spec import FigureSpec
from analysis.figures.training import length_panel, reward_panel

_EVALUATIONS = "a finished evaluation (orz-bench eval --ckpt RUN creates them)"


def benchmarks(groups: Sequence[Group]) -> FigureSpec:
    """Accuracy on every benchmark over training, with published results: Figures 1 and 11."""
    names = benchmarks_of(groups)
    panels = present([score_panel(groups, name, published=True) for name in names], wanted=_EVALUATIONS)
    text = caption("Accuracy on benchmarks over training.", groups, panels=panels)
    return FigureSpec(name="benchmarks", title="Benchmark accuracy over training", panels=panels, caption=text)


def accuracy_and_length(groups: Sequence[Group]) -> FigureSpec:
    """Training reward and benchmark accuracy above, lengths of the same responses below: Figure 5."""
    names = benchmarks_of(groups)
    above = [reward_panel(groups), *(score_panel(groups, name) for name in names)]
    below = [length_panel(groups), *(score_panel(groups, name, column="length") for name in names)]
    pairs = [(a, b) for a, b in zip(above, below, strict=True) if a is not None and b is not None]
    panels = present([*(a for a, _ in pairs), *(b for _, b in pairs)], wanted="both accuracies and lengths")
    text = caption(
        "Accuracy (above) and response length (below), in training and on benchmarks.", groups, panels=panels
    )
    return FigureSpec(
        name="accuracy-length", title="Accuracy and length", panels=panels, caption=text, columns=len(pairs)
    )


def length_beside_others(groups: Sequence[Group]) -> FigureSpec:
    """Response length in training and in other models' curves, given as files or runs: Figure 6."""
    panels = present([length_panel(groups)], wanted="response lengths")
    if len(panels[0].series) < 2:
        raise NothingToCompareError(
            "length: these runs have one length curve, at least two are needed; name another run, or a CSV file with "
            "the columns step and response_length."
        )
    text = caption("Response length of several models.", groups, panels=panels)
    return FigureSpec(name="length", title="Response length of several models", panels=panels, caption=text)
