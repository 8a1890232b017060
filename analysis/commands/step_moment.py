"""orz-analysis step-moment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import typer

from analysis.commands.arguments import Source
from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, StepColumn, print_result, reports_errors, result_console, stderr_console


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMomentOptions:
    """What is looked at, and how."""

    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics separated by commas: reward, response_length, correct_reflection_length, others."),
    ] = None
    run_name: Annotated[str | None, typer.Option("--run", help="Run to read from a file with several runs.")] = None
    step_column: StepColumn = None
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0
    detector: Annotated[str, typer.Option(help="How step moments are found: structural.")] = "structural"


@reports_errors
@takes_options
def step_moment_command(run: Source, options: StepMomentOptions, *, json_output: Json = False) -> None:
    """Find sudden, lasting changes of level or slope in training curves, with intervals and p-values."""
    from analysis.curves.build import build_study
    from analysis.curves.step_moments import METRICS, chosen_metrics, step_moments_of, step_moments_table
    from analysis.reading.load import load_path, one_of
    from analysis.step_moment.detectors import get_detector
    from analysis.step_moment.find import SHORTEST_CURVE

    loaded = one_of(load_path(run, step_column=options.step_column), options.run_name)
    studied = build_study(loaded, wanted=METRICS if options.metrics is None else ())
    found_by = get_detector(options.detector)
    wanted = chosen_metrics(studied, options.metrics)
    moments = step_moments_of(studied, wanted, seed=options.seed, detector=found_by)
    if json_output:
        whose = {"detector": found_by.label} if found_by.package else {}
        print_result(json.dumps(moments.to_json() | whose, ensure_ascii=False))
        return
    if moments.breaks:
        result_console().print(step_moments_table(moments))
    elif moments.looked_at:
        print_result(f"no step moment in {', '.join(moments.looked_at)}")
    if moments.too_short:
        text = f"not tested (fewer than {SHORTEST_CURVE} steps): {', '.join(moments.too_short)}"
        stderr_console().print(text, markup=False, highlight=False, soft_wrap=True)
