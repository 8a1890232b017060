"""orz-analysis boundary."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.commands.arguments import split_names
from orz_bench.commands.options import takes_options
from orz_bench.errors import ConfigError
from orz_bench.terminal import Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from analysis.boundary.study import BoundaryStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryOptions:
    """What is compared."""

    bench: Annotated[
        str | None, typer.Option(help="Only these benchmarks, separated by commas [default: all shared].")
    ] = None
    k: Annotated[
        str | None,
        typer.Option("--k", help="Numbers of samples, separated by commas [default: 1,2,4,... and n]."),
    ] = None
    across_protocols: Annotated[
        bool, typer.Option(help="Compare even if the protocols differ, and name the differences.")
    ] = False
    out: Annotated[Path | None, typer.Option(help="Write boundary.png, .pdf and .csv into this folder.")] = None


@reports_errors
@takes_options
def boundary_command(
    options: BoundaryOptions,
    *,
    base: Annotated[str, typer.Argument(help="The base's run directory; RUN@STEP picks one of its checkpoints.")],
    runs: Annotated[list[str], typer.Argument(help="The trained ones, each compared with the base.")],
    json_output: Json = False,
) -> None:
    """Does training narrow what a model can solve? pass@k and Cover@tau, their crossing, the support, guessing."""
    from analysis.report.boundary_finding import boundary_table

    studies = [study for run in runs for study in _studies(base, run, options=options)]
    if json_output:
        print_result(json.dumps({"pairs": [study.to_json() for study in studies]}, ensure_ascii=False))
    else:
        for study in studies:
            result_console().print(boundary_table(study))
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.boundary import boundary_figure

        save_into(boundary_figure(studies), options.out, beside_json=json_output)


def _studies(base: str, run: str, *, options: BoundaryOptions) -> list[BoundaryStudy]:
    from analysis.boundary.answers import read_answers
    from analysis.boundary.study import Names, boundary_study
    from orz_bench.results.lookup import evaluation_pairs

    pairs = evaluation_pairs(
        base, run, benchmarks=split_names(options.bench) or None, across_protocols=options.across_protocols
    )
    short = _names(base, run)
    return [
        boundary_study(
            read_answers(pair.a),
            read_answers(pair.b),
            names=Names(benchmark=pair.benchmark, base=short[0], run=short[1]),
            ks=_numbers(options.k),
            differing=pair.differing,
        )
        for pair in pairs
    ]


def _names(base: str, run: str) -> tuple[str, str]:
    """The last part of each path, or the paths where these are the same."""
    short = (Path(base).name or base, Path(run).name or run)
    return short if short[0] != short[1] else (base, run)


def _numbers(text: str | None) -> list[int]:
    wrong = [part for part in split_names(text) if not part.isdecimal() or int(part) < 1]
    if wrong:
        raise ConfigError(f"--k {', '.join(wrong)}: not a whole number above 0; give numbers such as 1,8,64.")
    return [int(part) for part in split_names(text)]
