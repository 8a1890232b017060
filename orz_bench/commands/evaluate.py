"""orz-bench eval."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.evaluation.options import EvalOptions
from orz_bench.terminal import (
    Baseline,
    Json,
    libraries_on_stderr,
    print_result,
    reports_errors,
    result_console,
    stderr_console,
)

_MAX_PARTS = 20
"""Tables of more parts are left to orz-bench report."""


@reports_errors
@takes_options
def evaluate_command(
    options: EvalOptions,
    *,
    dry_run: Annotated[
        bool, typer.Option(help="Show what would be generated, and three prompts; generate nothing.")
    ] = False,
    json_output: Json = False,
    baseline: Baseline = None,
) -> None:
    """Generate n answers to every question, grade them, and print avg@n with error bars.

    The same command again generates only what is missing; a larger --n adds samples to those that exist.
    """
    from orz_bench.commands.progress import ProgressDisplay
    from orz_bench.evaluation.run_evaluation import preview_evaluations, run_evaluations
    from orz_bench.evaluation.suites import suites_in, tables_of
    from orz_bench.results.baselines import require_known
    from orz_bench.results.report import render_json, render_table

    options = replace(options, command=("orz-bench", *sys.argv[1:]))
    suites = suites_in(options.benchmarks)
    beside = require_known(baseline) if baseline else None
    console = result_console()
    with libraries_on_stderr(), ProgressDisplay(stderr_console()) as display:
        shown = preview_evaluations(options, observer=display) if dry_run else None
        results = [] if dry_run else run_evaluations(options, observer=display)
    if shown is not None:
        print_result(shown)
        return
    tables = tables_of(suites, results)
    if json_output:
        print_result(json.dumps(render_json(results, suites=tables), ensure_ascii=False))
        return
    console.print(render_table(results, max_parts=_MAX_PARTS, baseline=beside, suites=tables))
    console.print(f"rollouts: {results[0].run}/evals", markup=False, highlight=False, soft_wrap=True)
