"""The public Python functions of analysis: `load`, `draw`, `step_moments`, `token_layer` and `write_report`.

    import analysis

    study = analysis.load("runs/tiny")
    study.steps      # one row per training step
    study.scores     # one row per evaluation
    study.features   # one row per response
    analysis.draw("training", study).savefig("training.png")

Import them from `analysis`; docs/api.md lists what is public. They print nothing, and raise orz_bench.errors.OrzError.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.behaviours.behaviour import Behaviour, Response
from analysis.curves.build import build_study
from analysis.curves.grouping import group_studies
from analysis.curves.step_moments import StepMoments, chosen_metrics, step_moments_of
from analysis.curves.study import Study
from analysis.curves.whole import with_everything
from analysis.figures.registry import get_figure
from analysis.reading.load import load_path, one_of
from analysis.texts.lexicons import get_lexicon
from analysis.tokens.layer import MOST_STEPS, TokenLayer
from analysis.tokens.layer import token_layer as layer_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Behaviour",
    "Response",
    "StepMoments",
    "Study",
    "TokenLayer",
    "draw",
    "load",
    "step_moments",
    "token_layer",
    "write_report",
]


def load(run: str | Path, *, name: str | None = None, lexicon: str = "orz-code") -> Study:
    """A run directory, a dump of Open-Reasoner-Zero, or a table of rollouts or curves, with what follows from it.

    Args:
        run: The folder or file; a run that is still training is read as far as it has been written.
        name: Which run of a file that has several.
        lexicon: Words that count as reflection; see docs/reflection.md.

    Raises DataError for anything else, and where a file has several runs and none is named.
    """
    return build_study(one_of(load_path(Path(run)), name), lexicon=get_lexicon(lexicon))


def draw(figure: str, studies: Study | Sequence[Study]) -> Figure:
    """A figure listed by `orz-analysis figures`, as a matplotlib Figure. Runs that differ only in seed are one line.

    Raises ConfigError for an unknown figure, DataError where the runs lack what it needs.
    """
    from analysis.figures.drawing import plot

    several = [studies] if isinstance(studies, Study) else list(studies)
    return plot(get_figure(figure).make(group_studies(several)))


def step_moments(study: Study, *, metrics: Sequence[str] | None = None, seed: int = 0) -> StepMoments:
    """Sudden, lasting changes of level or slope, with intervals and p-values; None: in reward and lengths.

    Method and error rates: docs/step-moments.md.
    """
    named = None if metrics is None else ",".join(metrics)
    return step_moments_of(study, chosen_metrics(study, named), seed=seed)


def token_layer(
    run: str | Path, *, steps: Sequence[int] = (), most_steps: int = MOST_STEPS, tokenizer: str | Path | None = None
) -> TokenLayer:
    """What `orz-analysis tokens` computes: which tokens of a training get the advantage and the update.

    Args:
        run: The run directory of a training.
        steps: These steps; none: evenly spread.
        most_steps: So many at most, where no steps are named.
        tokenizer: Folder with tokenizer.json, for the words; None: that of a kept checkpoint.

    Raises DataError for a run without entropies, or with too few responses or tokens.
    """
    folder = None if tokenizer is None else Path(tokenizer)
    return layer_of(Path(run), steps=sorted(set(steps)), most_steps=most_steps, tokenizer=folder)


def write_report(studies: Study | Sequence[Study], out: str | Path) -> Path:
    """What `orz-analysis report` writes into the folder `out`; returns its page."""
    from analysis.report.build import write_report as write

    several = [studies] if isinstance(studies, Study) else list(studies)
    whole = [with_everything(study, get_lexicon(study.lexicon.partition(" ")[0] or "orz-code")) for study in several]
    return write(whole, Path(out), metrics=()).page
