"""orz-bench scale."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import Json, print_result, reports_errors, result_console, stderr_console

if TYPE_CHECKING:
    from orz_bench.results.scaling.report import ScaledEvaluation
    from orz_bench.results.scaling.stored import StoredEvaluation


def parse_numbers(given: str | None) -> tuple[int, ...]:
    """Whole numbers above 0, separated by commas."""
    numbers = [part.strip() for part in (given or "").split(",") if part.strip()]
    wrong = [number for number in numbers if not number.isdecimal() or int(number) < 1]
    if wrong:
        raise ConfigError(f"--k {', '.join(wrong)}: not a whole number above 0; give numbers such as 1,2,4.")
    return tuple(map(int, numbers))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOptions:
    """Which evaluations and rules, and what is compared."""

    bench: Annotated[
        tuple[str, ...], typer.Option(help="Only these benchmarks, separated by commas."), parse_names
    ] = ()
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None
    k: Annotated[
        tuple[int, ...],
        typer.Option("--k", help="Numbers of samples, separated by commas [default: 1,2,4,... and n]."),
        parse_numbers,
    ] = ()
    rules: Annotated[
        tuple[str, ...],
        typer.Option(help="Rules, separated by commas [default: all that the answers allow]."),
        parse_names,
    ] = ()
    critic: Annotated[
        str | None,
        typer.Option(help="Folder or digest of the critic whose values are used [default: the only one]."),
    ] = None
    compare: Annotated[
        tuple[str, ...],
        typer.Option(
            help="Settings A,B,... of which each B is tested against A: RULE@K, or RULE:TOKENS for a budget a question "
            "[default: every rule against majority at equal tokens]."
        ),
        parse_names,
    ] = ()
    out: Annotated[
        Path | None, typer.Option(help="Folder for index.html, scaling.json and the figures as SVG; created if absent.")
    ] = None


@reports_errors
@takes_options
def scale_command(
    options: ScaleOptions,
    *,
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    json_output: Json = False,
) -> None:
    """Accuracy against k and against tokens of rules that choose one of k stored answers; nothing is generated."""
    from orz_bench.models.critics import critic_digest
    from orz_bench.results.scaling.report import render_scaling
    from orz_bench.results.scaling.stored import stored_evaluations

    critic = critic_digest(options.critic) if options.critic else None
    stored = [
        each
        for run in runs
        for each in stored_evaluations(run, benchmarks=options.bench, step=options.step, critic=critic)
    ]
    notice = partial(stderr_console().print, style="dim", markup=False, highlight=False, soft_wrap=True)
    found = []
    for each in stored:
        if each.critic is not None and critic is None:
            notice(f"{each.result.benchmark}, step {each.result.step}: uses the values of critic {each.critic}")
        found.append(_scaled(each, options))
    if options.out is not None:
        _write(found, options.out)
    if json_output:
        print_result(json.dumps({"evaluations": [each.to_json() for each in found]}, ensure_ascii=False, indent=2))
    else:
        result_console().print(render_scaling(found))


def _scaled(stored: StoredEvaluation, options: ScaleOptions) -> ScaledEvaluation:
    from orz_bench.results.scaling.curves import parse_setting
    from orz_bench.results.scaling.report import ScaledEvaluation

    settings = [parse_setting(text) for text in options.compare]
    if len(settings) == 1:
        raise ConfigError(
            f"--compare {options.compare[0]}: names one setting; give two or more, such as majority@8,pass@8."
        )
    return ScaledEvaluation.of(stored, rules=options.rules, ks=options.k, settings=settings)


def _write(found: list[ScaledEvaluation], out: Path) -> None:
    from orz_bench.records.parquet import disk_error
    from orz_bench.records.run_dir import to_json, write_text
    from orz_bench.results.scaling.report import render_scaling_html, scaling_svg

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(out, error) from error
    write_text(out / "index.html", render_scaling_html(found))
    write_text(out / "scaling.json", to_json({"evaluations": [each.to_json() for each in found]}))
    for each in found:
        write_text(out / f"scaling-{each.name}.svg", scaling_svg(each))
    stderr_console().print(f"written: {out / 'index.html'}", style="dim", markup=False, highlight=False, soft_wrap=True)
