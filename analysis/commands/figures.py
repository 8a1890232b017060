"""orz-analysis figure, figures, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from analysis.commands.arguments import LEXICON_HELP, Runs, split_names
from orz_bench.terminal import StepColumn, print_result, reports_errors, result_console, show_faults, stderr_console

if TYPE_CHECKING:
    from analysis.figures.spec import FigureSpec


@reports_errors
def figure_command(
    name: Annotated[str, typer.Argument(help="A figure listed by `orz-analysis figures`.")],
    *,
    runs: Runs,
    out: Annotated[Path, typer.Option(help="Folder for NAME.png, NAME.pdf and NAME.csv.")] = Path(),
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Metrics to draw in the figure `metrics`, separated by commas: any columns of the runs' curves."
        ),
    ] = None,
    lexicon: Annotated[
        str | None,
        typer.Option(help=f"{LEXICON_HELP} [default: metrics.jsonl's counts, orz-code]."),
    ] = None,
    step_column: StepColumn = None,
) -> None:
    """Draw one figure from these runs."""
    from analysis.curves.build import build_study
    from analysis.curves.grouping import group_studies
    from analysis.figures.chosen import NAME as CHOSEN
    from analysis.figures.chosen import chosen_metrics
    from analysis.figures.registry import drawn, get_figure
    from analysis.reading.load import load_runs
    from analysis.texts.lexicons import get_lexicon

    loaded = load_runs(runs, step_column=step_column)
    if name == CHOSEN or metrics is not None:
        groups = group_studies([build_study(run, wanted=split_names(metrics)) for run in loaded])
        save_into(chosen_metrics(groups, split_names(metrics)), out)
        return
    figure, chosen = get_figure(name), get_lexicon(lexicon) if lexicon else None
    studies = [build_study(run, lexicon=chosen, wanted=figure.metrics) for run in loaded]
    save_into(drawn(figure, group_studies(studies)), out)


def save_into(spec: FigureSpec, out: Path, *, beside_json: bool = False) -> None:
    """Save a figure into a folder (created if absent); print the paths on stdout and the caption on stderr.

    `beside_json`: stdout has one JSON object and nothing else, so the paths go to stderr too.
    """
    from analysis.figures.drawing import save
    from orz_bench.records.parquet import disk_error

    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = save(spec, out)
    except OSError as error:
        raise disk_error(out, error) from error
    for path in paths:
        if beside_json:
            stderr_console().print(str(path), markup=False, highlight=False, soft_wrap=True)
        else:
            print_result(str(path))
    stderr_console().print(spec.caption, markup=False, highlight=False, soft_wrap=True)


@reports_errors
def figures_command() -> None:
    """List all figures with their numbers in the paper and the data they need."""
    from analysis.figures.registry import all_figures

    figures, faults = all_figures()
    show_faults("figure", faults)
    table = Table("figure", "paper", "needs", box=None, pad_edge=False)
    for figure in figures:
        table.add_row(figure.name, figure.package or figure.paper or "–", figure.needs)
    table.add_row("metrics", "–", "--metrics NAME,NAME: any columns of the runs' curves")
    result_console().print(table)


@reports_errors
def metrics_command(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/metrics.md.")] = False,
) -> None:
    """List all metrics with unit, formula and source."""
    from analysis.commands.catalogue import metrics_markdown, metrics_table
    from analysis.curves.response_metrics import added_metrics

    if markdown:
        print_result(metrics_markdown(), end="")
    else:
        added, faults = added_metrics()
        show_faults("metric", faults)
        result_console().print(metrics_table(added))
