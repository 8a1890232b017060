"""orz-bench export."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.commands.selected import Selected
from orz_bench.terminal import print_result, reports_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported, and as what."""

    to: Annotated[Literal["lm-eval", "inspect", "jsonl", "datasets"], typer.Option(help="The format.")] = "jsonl"
    selected: Selected = field(default_factory=Selected)


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
    which = options.selected
    exported = chosen(run, benchmarks=which.bench, step=which.step, rollouts=which.rollouts)
    for path in writers[options.to](exported, new_folder(out)):
        print_result(str(path))
