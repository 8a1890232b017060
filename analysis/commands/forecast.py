"""orz-analysis forecast."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from analysis.commands.arguments import Source, split_names
from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, StepColumn, print_result, reports_errors, result_console


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastOptions:
    """What is forecast, and from which steps."""

    metrics: Annotated[
        str | None, typer.Option(help="Metrics separated by commas [default: reward and response length].")
    ] = None
    at: Annotated[float | None, typer.Option(help="Step whose last tenth is forecast [default: twice the last].")] = (
        None
    )
    since: Annotated[float | None, typer.Option(help="First step that counts, such as that after a jump.")] = None
    run_name: Annotated[str | None, typer.Option("--run", help="Run to read from a file with several runs.")] = None
    step_column: StepColumn = None
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0
    out: Annotated[Path | None, typer.Option(help="Write forecast.png, .pdf and .csv into this folder.")] = None


@reports_errors
@takes_options
def forecast_command(run: Source, options: ForecastOptions, *, json_output: Json = False) -> None:
    """Forecast training curves by saturating laws, with intervals, or say why not: a step moment, too few steps."""
    from analysis.curves.build import build_study
    from analysis.curves.forecasts import METRICS, forecasts_of, forecasts_table, sentences_of
    from analysis.curves.step_moments import chosen_metrics
    from analysis.reading.load import load_path, one_of

    loaded = one_of(load_path(run, step_column=options.step_column), options.run_name)
    study = build_study(loaded, wanted=METRICS if options.metrics is None else split_names(options.metrics))
    wanted = METRICS if options.metrics is None else chosen_metrics(study, options.metrics)
    found = forecasts_of(study, wanted, at=options.at, from_step=options.since, seed=options.seed)
    if json_output:
        print_result(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        if any(one.end is not None for one in found.curves):
            result_console().print(forecasts_table(found))
        for sentence in sentences_of(found):
            print_result(sentence)
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.forecast import forecast_figure
        from orz_bench.errors import DataError

        figure = forecast_figure([(study, found)])
        if figure is None:
            raise DataError(f"{study.run.name}: no curve could be forecast, so there is no figure.")
        save_into(figure, options.out, beside_json=json_output)
