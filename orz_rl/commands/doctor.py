"""orz-rl doctor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orz_bench.terminal import Json, print_result, reports_errors, result_console, stderr_console

if TYPE_CHECKING:
    from orz_rl.rehearsal.rows import Row

_STYLES = {"passed": "green", "failed": "bold red", "not possible here": "dim"}


@reports_errors
def doctor_command(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only rows that start no Ray: machine, models and engine.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Try on this machine what training uses: devices, attention, ZeRO, offloading, engine, weights, and short runs.

    With the embedded model, in a few minutes; on a CPU with gloo and shared memory. Exit code 2 if a row failed.
    """
    from orz_bench.errors import ConfigError, counted
    from orz_bench.installed.extras import require
    from orz_rl.rehearsal.doctor import device_here, examine

    require("train", what="the doctor", but=("tensorboardX",))
    console = stderr_console()
    rows: list[Row] = []
    for row in examine(quick=quick, notice=lambda text: console.print(text, style="dim", markup=False)):
        rows.append(row)
        console.print(f"  {row.name}: {row.verdict}", style=_STYLES[row.verdict], markup=False, highlight=False)
    failed = [row for row in rows if row.verdict == "failed"]
    if json_output:
        facts = {"device": device_here(), "passed": not failed, "rows": [row.to_json() for row in rows]}
        print_result(json.dumps(facts, ensure_ascii=False))
    else:
        _show(rows)
    if failed:
        names = ", ".join(row.name for row in failed)
        raise ConfigError(f"{counted(len(failed), 'row')} failed: {names}; the table says what to set instead.")


def _show(rows: Sequence[Row]) -> None:
    table = Table("row", "verdict", "found", "s", box=None, pad_edge=False)
    for row in rows:
        found = row.found + (f"\nset instead: {row.remedy}" if row.remedy else "")
        table.add_row(Text(row.name), Text(row.verdict, style=_STYLES[row.verdict]), Text(found), f"{row.seconds:.1f}")
    result_console().print(table)
