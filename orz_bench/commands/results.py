"""orz-bench report and orz-bench compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.terminal import as_text, print_result, reports_errors, result_console


@reports_errors
def report_command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    format_: Annotated[
        Literal["table", "md", "json", "html"], typer.Option("--format", help="How to show it.")
    ] = "table",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="A model whose published figures stand beside ours [default: the same model].")
    ] = None,
) -> None:
    """Show the results of runs, with the published baselines beside them."""
    from orz_bench.records.run_dir import write_text
    from orz_bench.results.baselines import require_known
    from orz_bench.results.html import render_html
    from orz_bench.results.lookup import results_of
    from orz_bench.results.report import render_json, render_markdown, render_table

    beside = require_known(baseline) if baseline else None
    results = [result for run in runs for result in results_of(run)]
    if format_ == "table" and out is None:
        result_console().print(render_table(results, baseline=beside))
        return
    if format_ == "table":
        text = as_text(render_table(results, baseline=beside))
    elif format_ == "json":
        text = json.dumps(render_json(results), ensure_ascii=False, indent=2)
    else:
        text = {"md": render_markdown, "html": render_html}[format_](results, baseline=beside)
    if out is None:
        print_result(text)
    else:
        write_text(out, text)


@reports_errors
def compare_command(
    run_a: Annotated[str, typer.Argument(help="A run directory; RUN@STEP picks one of its checkpoints.")],
    run_b: Annotated[str, typer.Argument(help="The one to compare it with.")],
    bench: Annotated[str | None, typer.Option(help="Benchmarks, separated by commas [default: all shared].")] = None,
    across_protocols: Annotated[bool, typer.Option(help="Compare though the protocols differ, and say so.")] = False,
    margin: Annotated[
        float, typer.Option(min=0, max=100, help="A loss that would not matter, in points: B is no worse within it.")
    ] = 0.0,
    format_: Annotated[Literal["table", "md", "json"], typer.Option("--format", help="How to show it.")] = "table",
    json_output: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare two runs question by question: B minus A, with intervals, p-values and flipped questions."""
    from orz_bench.results.lookup import compare_runs
    from orz_bench.results.report import render_comparisons

    names = [name.strip() for name in bench.split(",")] if bench else None
    compared = compare_runs(run_a, run_b, benchmarks=names, across_protocols=across_protocols)
    rendered = render_comparisons(compared, format_="json" if json_output else format_, margin=margin / 100)
    if isinstance(rendered, str):
        print_result(rendered)
    else:
        result_console().print(rendered)
