"""orz-rl backends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from orz_bench.terminal import Json, print_result, reports_errors, result_console, show_faults

if TYPE_CHECKING:
    from orz_rl.backends.backend import Backend


@reports_errors
def backends_command(*, json_output: Json = False) -> None:
    """List the trainers behind --backend, what each can do here, and why not."""
    from orz_rl.backends.registry import BACKENDS

    backends, faults = BACKENDS.load_all()
    rows = [_row(backend) for backend in backends.values()]
    show_faults("backend", faults)
    if json_output:
        print_result(json.dumps({"backends": rows, "faults": [str(fault) for fault in faults]}, ensure_ascii=False))
        return
    result_console().print(*(_table(row) for row in rows), sep="\n\n")


def _row(backend: Backend) -> dict[str, Any]:
    can, here = backend.capabilities, backend.available()
    return {
        "backend": backend.name,
        "summary": backend.summary,
        "version": here.version,
        "runs here": here.is_available,
        "missing": here.missing,
        "advantages": list(can.estimators),
        "devices": list(can.devices),
        "resumes": can.resumes,
        "evaluates": can.evaluates,
        "keeps tokens": can.keeps_tokens,
        "never run": can.not_run,
    }


def _table(row: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in row.items():
        if value not in ("", None):
            table.add_row(key, Text(_shown(value)))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
