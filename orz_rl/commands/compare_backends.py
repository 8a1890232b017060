"""orz-rl compare-backends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.terminal import DataDir, Json, print_result, reports_errors, result_console, stderr_console
from orz_rl.commands.train import Overrides, Recipe, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOptions:
    """What is compared, and where the runs are."""

    backends: Annotated[str, typer.Option(help="Names, separated by commas; see `orz-rl backends`.")] = "native,trl"
    out: Annotated[Path, typer.Option(help="Folder of the runs: each backend's is OUT/BACKEND.")]


@reports_errors
@takes_options
def compare_backends_command(
    options: ComparisonOptions,
    *,
    recipe: Recipe,
    overrides: Overrides = None,
    variant: Variant = None,
    data_dir: DataDir = None,
    json_output: Json = False,
) -> None:
    """Train by several backends from the same weights, data and seeds; compare time, curves and evaluations.

    One backend trains after the other. Run the same command again to resume; finished runs are not started again.
    """
    from orz_rl.backends.comparing.report import compared_with_first, facts_of, render, write_files
    from orz_rl.backends.comparing.runs import contest
    from orz_rl.recipes.registry import resolve

    folders = [] if data_dir is None else ["--data-dir", str(data_dir)]
    variants = [part for name in variant or () for part in ("--variant", name)]
    found = contest(
        recipe,
        names=[name.strip() for name in options.backends.split(",") if name.strip()],
        config=resolve(recipe, variants=variant or (), overrides=overrides or ()),
        arguments=[*variants, *folders, *(overrides or ())],
        out=options.out,
    )
    console = stderr_console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    found.train_all(notice=say, warn=lambda text: say(f"warning: {text}"))
    compared = compared_with_first(found)
    facts = facts_of(found, compared)
    write_files(found, found=facts)
    if json_output:
        print_result(json.dumps(facts, ensure_ascii=False))
    else:
        result_console().print(render(found, found=facts, compared=compared))
