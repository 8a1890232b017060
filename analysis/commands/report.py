"""orz-analysis report, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.commands.arguments import LexiconName, Runs, split_names
from orz_bench.terminal import Json, StepColumn, print_result, reports_errors, result_console, stderr_console


@reports_errors
def report_command(
    runs: Runs,
    *,
    out: Annotated[Path, typer.Option(help="Output folder; an earlier report in it is replaced.")],
    lexicon: LexiconName = "orz-code",
    metrics: Annotated[
        str | None, typer.Option(help="Further metrics to draw, separated by commas: any columns of the runs' curves.")
    ] = None,
    step_column: StepColumn = None,
) -> None:
    """Write one HTML page: did it learn, when, how, does reflection improve answers? With PNG, PDF and CSV files."""
    from analysis.curves.build import build_study
    from analysis.curves.whole import with_everything
    from analysis.reading.load import load_runs
    from analysis.report.build import write_report
    from analysis.texts.lexicons import get_lexicon

    chosen = get_lexicon(lexicon)
    loaded = load_runs(runs, step_column=step_column)
    studies = [with_everything(build_study(run, lexicon=chosen), chosen) for run in loaded]
    written = write_report(studies, out, metrics=split_names(metrics))
    console = stderr_console()
    for sentence in written.left_out:
        console.print(f"left out: {sentence}", style="dim", markup=False, highlight=False, soft_wrap=True)
    for study_ in studies:
        for note in study_.run.notes:
            console.print(f"{study_.run.name}: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    print_result(str(written.page))


@reports_errors
def compare_command(
    runs: Runs,
    *,
    out: Annotated[Path | None, typer.Option(help="Write comparison.png, .pdf and .csv into this folder.")] = None,
    step_column: StepColumn = None,
    json_output: Json = False,
) -> None:
    """Compare experiments: values at the start and the end of each; runs of one configuration are pooled over seeds."""
    import json

    from analysis.curves.build import build_study
    from analysis.curves.compare import compared, comparison_table
    from analysis.curves.grouping import group_studies
    from analysis.figures.registry import get_figure
    from analysis.reading.load import load_runs

    figure = get_figure("comparison")
    loaded = load_runs(runs, step_column=step_column)
    groups = group_studies([build_study(run, wanted=figure.metrics) for run in loaded])
    rows = compared(groups)
    if json_output:
        print_result(json.dumps({"experiments": [row.to_json() for row in rows]}, ensure_ascii=False))
    else:
        result_console().print(comparison_table(rows))
    if out is not None:
        from analysis.commands.figures import save_into

        save_into(figure.make(groups), out, beside_json=json_output)
