"""orz-rl curate: training data from raw sources, the reason behind a row's fate, and the hard problems of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.environment import data_folders
from orz_bench.errors import ConfigError, counted
from orz_bench.terminal import DataDir, Json, libraries_on_stderr, print_result, reports_errors, stderr_console

curate_app = typer.Typer(
    help="Training data from raw sources: filtered, without duplicates and benchmarks, every row's fate on record.",
    rich_markup_mode=None,
    invoke_without_command=True,
)
_FACTS = ("id", "source", "row", "stage", "fate", "reason", "evidence", "changes", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurateOptions:
    """What is curated, and how."""

    config: Annotated[Path | None, typer.Option(help="Settings in YAML (docs/curation.md).")] = None
    source: Annotated[
        list[str] | None,
        typer.Option(help="A file, hub:OWNER/NAME@COMMIT/FILE or reasoning_gym:NAME; repeat it. Default settings."),
    ] = None
    against: Annotated[
        str | None, typer.Option(help="Benchmarks to decontaminate against, separated by commas [default: all].")
    ] = None
    fresh: Annotated[bool, typer.Option(help="Delete an existing result and start over.")] = False
    ray: Annotated[bool, typer.Option("--ray", help="Use Ray Data: at RAY_ADDRESS, or on this machine.")] = False


@curate_app.callback(invoke_without_command=True)
@reports_errors
@takes_options
def curate_command(
    options: CurateOptions,
    *,
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Curate training data. Run the same command again to resume, wherever it stopped."""
    if context.invoked_subcommand is not None:
        return
    if out is None or (options.config is None) == (not options.source):
        raise ConfigError(
            "wanted either --config FILE or --source FILE (it may be repeated), and --out DIR; see docs/curation.md."
        )
    from orz_rl.curation.pipeline import curate
    from orz_rl.curation.settings import from_sources, limited_to, read_settings

    settings = read_settings(options.config) if options.config is not None else from_sources(options.source or ())
    if options.against is not None:
        settings = limited_to(settings, options.against)
    console = stderr_console()
    with libraries_on_stderr():
        done = curate(
            settings,
            out=out,
            folders=data_folders(data_dir),
            fresh=options.fresh,
            on_ray=options.ray,
            notice=lambda text: console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True),
        )
    state = "" if done.is_new else " (was complete already)"
    print_result(
        f"{out}: {counted(done.num_kept, 'row')} of {done.num_rows:,} in train.jsonl{state}; "
        f"card: {out / 'card.html'}\n"
        f"train on it: orz-rl train --recipe NAME --out RUN data.source={out / 'train.jsonl'}"
    )


@curate_app.command("explain")
@reports_errors
def explain_command(
    row: Annotated[str, typer.Argument(metavar="ID", help="A row's id, or SOURCE:ROW.")],
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Folder of the result.")] = Path(),
    as_json: Json = False,
) -> None:
    """Show why a row was kept or dropped, and the texts it is similar to."""
    from orz_rl.curation.explain import explain

    found = explain(row, folder)
    if as_json:
        print_result(json.dumps({**found.fate, "pairs": found.pairs}, ensure_ascii=False))
        return
    fate = found.fate
    lines = [f"{name}: {fate[name]}" for name in _FACTS if fate[name] not in ("", "{}", "[]")]
    lines += ["question:", fate["question"]]
    for pair in found.pairs:
        is_row = pair["id"] == fate["id"]
        other = ("other_" if is_row else "") + "source", ("other_" if is_row else "") + "id"
        lines += [
            "",
            f"{pair['method']} {pair['similarity']:.2f}, {pair['verdict']}: {pair[other[0]]} {pair[other[1]]}",
            pair["other_question" if is_row else "question"],
            f"answer: {pair['other_answer' if is_row else 'answer']}",
        ]
    print_result("\n".join(lines))


@curate_app.command("mine-hard")
@reports_errors
def mine_hard_command(
    run: Annotated[Path, typer.Argument(help="A training run with its rollouts.")],
    *,
    max_pass_rate: Annotated[
        str, typer.Option(help="Keep problems with fewer correct samples than this share, such as 4/64.")
    ] = "4/64",  # noqa: S107 - no password
    visits: Annotated[
        Literal["last", "all"], typer.Option(help="Count the last step that sampled a problem, or all steps.")
    ] = "last",
    out: Annotated[
        Path | None, typer.Option(help="File, .json (ORZ format) or .jsonl [default: what orz_32b_anneal reads].")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write the problems of a training run that were hard for it, for an annealing stage."""
    from orz_rl.curation.mining import mine, parse_rate, write_mined
    from orz_rl.recipes.registry import RECIPES

    rate = parse_rate(max_pass_rate)
    path = out or Path(RECIPES["orz_32b_anneal"]().data.source[0])
    mined = mine(run, below=rate, visits=visits)
    write_mined(mined, path, force=force)
    print_result(
        f"{path}: {counted(len(mined.hard), 'problem')} of {mined.num_problems:,} with a pass rate below "
        f"{max_pass_rate}\n"
        f"correct samples -> problems: {', '.join(f'{n}: {times:,}' for n, times in mined.histogram.items())}"
    )
