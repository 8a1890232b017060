"""orz-analysis figure, figures, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from analysis.commands.arguments import Runs, split_names
from orz_bench.terminal import print_result, reports_errors, result_console

if TYPE_CHECKING:
    from analysis.figures.spec import FigureSpec


@reports_errors
def figure_command(
    name: Annotated[str, typer.Argument(help="A name of `orz-analysis figures`.")],
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The folder for NAME.png, NAME.pdf and NAME.csv.")] = Path(),
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Of the figure `metrics`: what to draw, separated by commas, any column of the runs' curves."
        ),
    ] = None,
    lexicon: Annotated[
        str | None,
        typer.Option(help="Count reflections anew with this lexicon [default: metrics.jsonl's counts, orz-code]."),
    ] = None,
) -> None:
    """Draw one figure of the paper from these runs."""
    from analysis.curves.build import build_study
    from analysis.curves.grouping import group_studies
    from analysis.figures.chosen import NAME as CHOSEN
    from analysis.figures.chosen import chosen_metrics
    from analysis.figures.registry import get_figure
    from analysis.reading.load import load_runs
    from analysis.texts.lexicons import get_lexicon

    if name == CHOSEN or metrics is not None:
        groups = group_studies([build_study(run, wanted=split_names(metrics)) for run in load_runs(runs)])
        save_into(chosen_metrics(groups, split_names(metrics)), out)
        return
    figure, chosen = get_figure(name), get_lexicon(lexicon) if lexicon else None
    studies = [build_study(run, lexicon=chosen, wanted=figure.metrics) for run in load_runs(runs)]
    save_into(figure.make(group_studies(studies)), out)


def save_into(spec: FigureSpec, out: Path) -> None:
    """Save a figure into a folder (made if absent), print the paths, and the caption on stderr."""
    from analysis.figures.drawing import save
    from orz_bench.records.parquet import disk_error

    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = save(spec, out)
    except OSError as error:
        raise disk_error(out, error) from error
    for path in paths:
        print_result(str(path))
    Console(stderr=True).print(spec.caption, markup=False, highlight=False, soft_wrap=True)


@reports_errors
def figures_command() -> None:
    """List every figure, its number in the paper, and what it needs."""
    from analysis.figures.registry import FIGURES

    table = Table("figure", "paper", "needs", box=None, pad_edge=False)
    for figure in FIGURES.values():
        table.add_row(figure.name, figure.paper or "–", figure.needs)
    table.add_row("metrics", "–", "--metrics NAME,NAME: any columns of curves")
    result_console().print(table)


@reports_errors
def metrics_command(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/metrics.md.")] = False,
) -> None:
    """Every metric with its unit, formula and source."""
    from analysis.commands.catalogue import metrics_markdown, metrics_table

    if markdown:
        print_result(metrics_markdown(), end="")
    else:
        result_console().print(metrics_table())
