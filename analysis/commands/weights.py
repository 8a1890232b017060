"""orz-analysis weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from analysis.weights.moved import MovedWeights

_DEFAULT_TOLERANCE, _DEFAULT_LARGEST = 1e-5, 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOptions:
    """What counts as moved, and what is computed."""

    tolerance: Annotated[float, typer.Option(min=0, help="A weight that differs by no more counts as unmoved.")] = (
        _DEFAULT_TOLERANCE
    )
    largest_rank: Annotated[
        int, typer.Option(min=0, help="No rank of a matrix whose shorter side is longer; 0: no ranks.")
    ] = _DEFAULT_LARGEST
    out: Annotated[Path | None, typer.Option(help="Write weights.png, .pdf and .csv into this folder.")] = None


@reports_errors
@takes_options
def weights_command(
    options: WeightsOptions,
    *,
    a: Annotated[str, typer.Argument(help="A folder with safetensors weights, or RUN@STEP.")],
    b: Annotated[str, typer.Argument(help="A later checkpoint of the same model.")],
    json_output: Json = False,
) -> None:
    """Report which weights moved between two checkpoints: how many, how far, in how many directions, by matrix."""
    from analysis.weights.moved import moved_weights
    from analysis.weights.tensors import checkpoint_folder

    found = moved_weights(
        checkpoint_folder(a),
        checkpoint_folder(b),
        names=(a, b),
        tolerance=options.tolerance,
        largest_rank=options.largest_rank,
    )
    if json_output:
        print_result(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        result_console().print(_table(found))
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.weights import weights_figure
        from orz_bench.errors import DataError

        figure = weights_figure(found)
        if figure is None:
            raise DataError(f"{a}: its tensors have no numbered layers, so there is no figure.")
        save_into(figure, options.out, beside_json=json_output)


def _table(found: MovedWeights) -> Table:
    from rich.table import Table

    headings = ("tensors", "weights", "moved at all", f"by more than {found.tolerance:g}", "norm", "relative")
    title = f"from {found.a} to {found.b} ({', '.join(found.types)})"
    table = Table(
        "kind",
        *headings,
        "effective rank",
        "rank for 99 %",
        box=None,
        pad_edge=False,
        title=title,
        title_justify="left",
    )
    for one in (found.all, *sorted(found.kinds, key=lambda each: -each.num)):
        table.add_row(
            one.kind,
            f"{one.num_tensors:,}",
            f"{one.num:,}",
            f"{100 * one.changed:.1f} %",
            f"{100 * one.beyond:.1f} %",
            f"{one.norm:.4g}",
            *("–" if value is None else f"{100 * value:.2f} %" for value in (one.relative, one.effective, one.for_99)),
        )
    return table
