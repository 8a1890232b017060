"""orz-analysis values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from analysis.commands.arguments import LexiconName
from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, print_result, reports_errors, result_console


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesOptions:
    """Whose values, and what is looked for."""

    critic: Annotated[str | None, typer.Option(help="Digest of the critic, or its start [default: the only one].")] = (
        None
    )
    threshold: Annotated[
        float, typer.Option(help="A wrong answer falls where its value stays below this until its end.")
    ] = 0.5
    out: Annotated[Path | None, typer.Option(help="Write values.png, .pdf and .csv into this folder.")] = None


@reports_errors
@takes_options
def values_command(
    options: ValuesOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory with values of orz-bench value.")],
    lexicon: LexiconName = "orz-code",
    json_output: Json = False,
) -> None:
    """Report what a critic's values say: calibration, AUROC, reflections, repetition, where wrong answers fall."""
    from analysis.report.value_finding import value_table
    from analysis.texts.lexicons import get_lexicon
    from analysis.values.assessed import assessed_sets
    from analysis.values.study import value_study

    words = get_lexicon(lexicon)
    sets = assessed_sets(run, critic=options.critic)
    studies = [value_study(each, words, threshold=options.threshold) for each in sets]
    if json_output:
        print_result(json.dumps({"sets": [study.to_json() for study in studies]}, ensure_ascii=False))
    else:
        for study in studies:
            result_console().print(value_table(study))
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.values import value_figure

        save_into(
            value_figure([(run.resolve().name, study) for study in studies]), options.out, beside_json=json_output
        )
