"""orz-bench export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import print_result, reports_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported, and as what."""

    to: Annotated[Literal["lm-eval", "inspect", "jsonl", "datasets"], typer.Option(help="The format.")] = "jsonl"
    bench: Annotated[
        tuple[str, ...], typer.Option(help="Only these benchmarks, separated by commas."), parse_names
    ] = ()
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None
    rollouts: Annotated[bool, typer.Option("--rollouts", help="The rollouts of training instead of evaluations.")] = (
        False
    )


@reports_errors
@takes_options
def export_command(
    options: ExportOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    out: Annotated[Path, typer.Option(help="A new folder for the files.")],
) -> None:
    """Write a run's answers as files of other tools: lm-eval, inspect, JSON lines, or a dataset for load_dataset."""
    from orz_bench.exchange.export.inspect import write_inspect
    from orz_bench.exchange.export.lm_eval import write_lm_eval
    from orz_bench.exchange.export.selection import chosen, new_folder
    from orz_bench.exchange.export.tables import write_dataset, write_jsonl

    writers = {"lm-eval": write_lm_eval, "inspect": write_inspect, "jsonl": write_jsonl, "datasets": write_dataset}
    exported = chosen(run, benchmarks=options.bench, step=options.step, rollouts=options.rollouts)
    for path in writers[options.to](exported, new_folder(out)):
        print_result(str(path))
