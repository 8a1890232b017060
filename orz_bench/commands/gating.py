"""orz-bench gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orz_bench.terminal import Json, print_result, reports_errors, result_console, stderr_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orz_bench.results.gate import Decision, Gated

EXIT_CODES = {"GO": 0, "NO-GO": 3, "INCONCLUSIVE": 4}


@reports_errors
def gate_command(
    policy: Annotated[Path, typer.Argument(help="The policy, a YAML file: benchmarks with margins (docs/gate.md).")],
    base: Annotated[str, typer.Argument(help="Run directory of the model to be replaced; RUN@STEP picks a step.")],
    *,
    candidate: Annotated[str, typer.Argument(help="That of the model that would replace it.")],
    until_decided: Annotated[
        bool, typer.Option(help="Evaluate both runs further, up to the last look, where the decision is open.")
    ] = False,
    across_protocols: Annotated[
        bool, typer.Option(help="Compare even if the protocols differ, and name the differences.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Decide whether a candidate may replace a base: GO, NO-GO or INCONCLUSIVE (exit codes 0, 3, 4).

    GO: on every required benchmark the candidate loses less than the margin. An error of the command has exit code 2.
    """
    from orz_bench.evaluation.gating import gate_runs
    from orz_bench.results.gate import overall
    from orz_bench.results.gate_policy import load_policy

    notice = partial(stderr_console().print, markup=False, highlight=False, soft_wrap=True)
    gated = gate_runs(
        load_policy(policy),
        base=base,
        candidate=candidate,
        across_protocols=across_protocols,
        notice=notice if until_decided else None,
    )
    decision = overall(gated)
    if json_output:
        print_result(json.dumps({"decision": decision, "benchmarks": [_as_json(one) for one in gated]}))
    else:
        result_console().print(_rendered(decision, gated))
    raise typer.Exit(EXIT_CODES[decision])


def _as_json(gated: Gated) -> dict[str, Any]:
    found = asdict(gated)
    rule: dict[str, Any] = found.pop("rule")
    return rule | found


def _rendered(decision: Decision, gated: Sequence[Gated]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("benchmark", "tier", "margin", "difference", "bounds", "samples", "questions", "decision"):
        table.add_column(heading, justify="left" if heading in ("benchmark", "tier", "decision") else "right")
    for one in gated:
        rule = one.rule
        table.add_row(
            Text(rule.benchmark),
            rule.tier,
            f"{100 * rule.margin:g}",
            f"{100 * one.difference:+.1f}",
            f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
            str(one.samples),
            str(one.num_questions),
            one.decision,
        )
    return Group(table, Text(decision, style="bold"))
