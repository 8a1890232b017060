"""orz-analysis tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.commands.arguments import split_names
from orz_bench.commands.options import takes_options
from orz_bench.errors import ConfigError, counted
from orz_bench.terminal import Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from analysis.tokens.layer import OverSteps, TokenLayer

_MOST_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensOptions:
    """Which steps are read."""

    steps: Annotated[str | None, typer.Option(help="These steps, separated by commas [default: evenly spread].")] = None
    most_steps: Annotated[int, typer.Option(min=1, help="So many steps, evenly spread over the run.")] = _MOST_STEPS
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder with tokenizer.json, for the words [default: a kept checkpoint's].")
    ] = None
    out: Annotated[Path | None, typer.Option(help="Write tokens.png, .pdf and .csv into this folder.")] = None


@reports_errors
@takes_options
def tokens_command(
    options: TokensOptions,
    *,
    run: Annotated[Path, typer.Argument(help="Run directory of a training.")],
    json_output: Json = False,
) -> None:
    """Which tokens does training learn from? Shares of advantage and update by entropy, length and word."""
    from analysis.tokens.layer import token_layer

    found = token_layer(run, steps=_steps(options.steps), most_steps=options.most_steps, tokenizer=options.tokenizer)
    if json_output:
        print_result(json.dumps({"run": str(run)} | found.to_json(), ensure_ascii=False))
    else:
        for table in _tables(found, name=run.name):
            result_console().print(table)
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.tokens import tokens_figure

        save_into(tokens_figure({run.name: found}), options.out, beside_json=json_output)


def _steps(text: str | None) -> list[int]:
    wrong = [part for part in split_names(text) if not part.isdecimal()]
    if wrong:
        raise ConfigError(f"--steps {', '.join(wrong)}: not a step; give numbers such as 1,20,40.")
    return sorted({int(part) for part in split_names(text)})


def _tables(found: TokenLayer, *, name: str) -> list[Table]:
    from rich.table import Table

    steps = f"{counted(len(found.steps), 'step')} from {found.steps[0]} to {found.steps[-1]}"
    left = f", {counted(found.num_left_out, 'response')} left out" if found.num_left_out else ""
    head = f"{name}: {steps}, {counted(found.num_tokens, 'token')}{left}; loss.normalisation {found.normalisation}"
    tables = [
        Table("tenth of tokens", "entropy", "advantage", "update", box=None, title=head, title_justify="left"),
        Table("tenth of responses", "tokens", "of all tokens", "advantage", "update", "raising", "lowering", box=None),
    ]
    for each in found.entropies:
        tables[0].add_row(str(each.decile), f"{each.entropy:.3f}", _shown(each.advantage), _shown(each.update))
    for one in found.lengths:
        signed = ("–" if value is None else f"{value:.2f}" for value in (one.raising, one.lowering))
        shares = map(_shown, (one.tokens, one.advantage, one.update))
        tables[1].add_row(str(one.decile), f"{one.length:,.1f}", *shares, *signed)
    if found.words:
        tables.append(Table("word", "uses", "entropy", "of all tokens", "advantage", "update", box=None))
        for word in found.words:
            values = (f"{100 * value:.1f} %" for value in (word.tokens, word.advantage, word.update))
            tables[-1].add_row(word.word, f"{word.num:,}", f"{word.entropy:.3f}", *values)
    return tables


def _shown(share: OverSteps) -> str:
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f} %"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
