"""orz-bench probe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.errors import counted
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from orz_bench.records.run_dir import EvaluationDir
    from orz_bench.records.thoughts import Share, ThoughtUse


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Which evaluations are probed."""

    bench: Annotated[
        tuple[str, ...], typer.Option(help="Only these benchmarks, separated by commas."), parse_names
    ] = ()
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None


@reports_errors
@takes_options
def probe_command(
    options: ProbeOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    json_output: Json = False,
) -> None:
    """Is the thought used? Where stored responses first conclude the right answer; no model is loaded."""
    from orz_bench.probing.thought_use import evaluations_of, thought_use
    from orz_bench.records.thoughts import write_thought_use

    found = []
    for directory in evaluations_of(run, benchmarks=options.bench, step=options.step):
        use = thought_use(directory)
        write_thought_use(directory, use)
        found.append((directory, use))
    if json_output:
        rows = [
            {"benchmark": at.benchmark, "step": at.step, "fingerprint": at.fingerprint, **use.to_json()}
            for at, use in found
        ]
        print_result(json.dumps({"evaluations": rows}, ensure_ascii=False))
        return
    for at, use in found:
        result_console().print(_table(at, use))


def _table(directory: EvaluationDir, use: ThoughtUse) -> Table:
    from rich.table import Table

    table = Table(
        title=f"{directory.benchmark}, step {directory.step}", show_header=False, box=None, title_justify="left"
    )
    for name, text in _facts(use).items():
        table.add_row(name, text)
    return table


def _facts(use: ThoughtUse) -> dict[str, str]:
    found = {
        "responses": f"{use.num_right:,} right, {use.num_wrong:,} wrong, {counted(use.num_questions, 'question')}"
        + (f"; {use.num_left_out:,} left out" if use.num_left_out else "")
    }
    if use.mean_length is not None and use.mean_first is not None:
        found["outcome efficiency"] = _shown(use.outcome_efficiency)
        found["right answers come after"] = f"{use.mean_first:,.1f} of {use.mean_length:,.1f} {use.unit}"
    if use.num_wrong:
        found["underthinking"] = f"{_shown(use.underthinking)}; by chance {_shown(use.underthinking_by_chance)}"
        found["wrong ones that concluded the right answer"] = (
            f"{_shown(use.reached)}; the answer to another question {_shown(use.reached_by_chance)}"
        )
    return found


def _shown(share: Share | None) -> str:
    if share is None:
        return "–"
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f} %"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
