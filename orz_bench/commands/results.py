"""orz-bench report and orz-bench compare."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orz_bench.asking.suites.names import SUITES
from orz_bench.commands.options import takes_options
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import (
    Baseline,
    DataUntil,
    Json,
    as_text,
    listed,
    print_result,
    reports_errors,
    result_console,
    stderr_console,
)

FORMAT = typer.Option("--format", help="How to show it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What is shown beside the results, and how."""

    format_: Annotated[Literal["table", "md", "json", "html"], FORMAT] = "table"
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None
    baseline: Baseline = None
    suite: Annotated[str | None, typer.Option(help=f"Add the table of a suite: {listed(SUITES)}, or FILE.yaml.")] = None
    data_until: DataUntil = None
    json_output: Json = False


@reports_errors
@takes_options
def report_command(
    options: ReportOptions, *, runs: Annotated[list[Path], typer.Argument(help="Run directories.")]
) -> None:
    """Show the results of runs, with the published baselines beside them.

    A run that was evaluated with --bench SUITE shows the suite's table, too. A table marks the benchmarks whose
    questions are older than the model's data, where the end of these is known or given.
    """
    from orz_bench.asking.suites.suite import get_suite
    from orz_bench.benchmarks.dates import parse_day
    from orz_bench.contamination.ages import age_table, ages_of
    from orz_bench.evaluation.suites import suites_of_run, tables_of
    from orz_bench.records.run_dir import write_text
    from orz_bench.results.baselines import require_known
    from orz_bench.results.html import render_html
    from orz_bench.results.lookup import results_of
    from orz_bench.results.report import render_json, render_markdown, render_table

    notice = partial(stderr_console().print, markup=False, highlight=False, soft_wrap=True)
    named = [get_suite(options.suite)] if options.suite else []
    named = named or [each for run in runs for each in suites_of_run(run, notice=notice)]
    results = [result for run in runs for result in results_of(run)]
    suites = tables_of({each.name: each for each in named}.values(), results)
    ages = ages_of(results, until=parse_day(options.data_until, "--data-until", is_end=True))
    beside = require_known(options.baseline) if options.baseline else None
    tables: dict[str, Any] = {"baseline": beside, "suites": suites, "more": age_table(ages)}
    format_ = "json" if options.json_output else options.format_
    if format_ == "table" and options.out is None:
        result_console().print(render_table(results, **tables))
        return
    if format_ == "table":
        text = as_text(render_table(results, **tables))
    elif format_ == "json":
        found = render_json(results, suites=suites) | ({"ages": [one.to_json() for one in ages]} if ages else {})
        text = json.dumps(found, ensure_ascii=False, indent=2)
    else:
        text = {"md": render_markdown, "html": render_html}[format_](results, **tables)
    if options.out is None:
        print_result(text)
    else:
        write_text(options.out, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """What is compared, and how the result is shown."""

    bench: Annotated[
        tuple[str, ...], typer.Option(help="Benchmarks, separated by commas [default: all shared]."), parse_names
    ] = ()
    across_protocols: Annotated[
        bool, typer.Option(help="Compare even if the protocols differ, and name the differences.")
    ] = False
    margin: Annotated[
        float, typer.Option(min=0, max=100, help="A loss that would not matter, in points: B is no worse within it.")
    ] = 0.0
    format_: Annotated[Literal["table", "md", "json"], FORMAT] = "table"
    json_output: Json = False


def _name(given: str) -> str:
    """The benchmark's name in results; a user's own table is read for it."""
    from orz_bench.benchmarks.own.address import table_address
    from orz_bench.benchmarks.registry import get_benchmark

    return given if table_address(given) is None else get_benchmark(given).name


@reports_errors
@takes_options
def compare_command(
    options: CompareOptions,
    *,
    run_a: Annotated[str, typer.Argument(help="A run directory; RUN@STEP picks one of its checkpoints.")],
    run_b: Annotated[str, typer.Argument(help="The one to compare it with.")],
) -> None:
    """Compare two runs question by question: B minus A, with intervals, p-values and flipped questions."""
    from orz_bench.results.lookup import compare_runs
    from orz_bench.results.report import render_comparisons

    names, across = [_name(given) for given in options.bench] or None, options.across_protocols
    compared = compare_runs(run_a, run_b, benchmarks=names, across_protocols=across)
    format_ = "json" if options.json_output else options.format_
    rendered = render_comparisons(compared, format_=format_, margin=options.margin / 100)
    if isinstance(rendered, str):
        print_result(rendered)
    else:
        result_console().print(rendered)
