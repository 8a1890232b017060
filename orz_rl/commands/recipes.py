"""orz-rl check, recipes, export and build-tiny."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from orz_bench.environment import data_folders
from orz_bench.terminal import DataDir, Former, print_result, reports_errors, result_console, stderr_console
from orz_rl.commands.train import Overrides, Recipe, Variant


@reports_errors
def check_command(
    recipe: Recipe, *, overrides: Overrides = None, variant: Variant = None, data_dir: DataDir = None
) -> None:
    """Resolve a recipe, check models, data, prompts and benchmarks, and print the settings; starts nothing."""
    from orz_rl.recipes.registry import as_yaml, resolve
    from orz_rl.training.preparation import prepare

    config = resolve(recipe, variants=variant or (), overrides=overrides or ())
    console = stderr_console()
    prepare(
        config,
        out=Path("runs") / recipe,
        data=data_folders(data_dir),
        notice=lambda text: console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True),
    )
    print_result(as_yaml(config), end="")


@reports_errors
def recipes_command(
    settings: Annotated[bool, typer.Option(help="List every setting with its default and meaning.")] = False,
) -> None:
    """List recipes and variants, or every setting."""
    from orz_rl.recipes.registry import RECIPES, leaves
    from orz_rl.recipes.variants import VARIANTS

    console = result_console()
    if settings:
        table = Table("setting", "default", "meaning", box=None, pad_edge=False)
        for name, field in leaves():
            default = "" if field.is_required() else str(field.get_default(call_default_factory=True))
            table.add_row(name, default, field.description)
        console.print(table)
        return
    table = Table("recipe", "description", box=None, pad_edge=False)
    for name, recipe in RECIPES.items():
        table.add_row(name, (recipe.__doc__ or "").splitlines()[0])
    console.print(table)
    console.print(f"variants (--variant NAME): {', '.join(VARIANTS)}", highlight=False)


@reports_errors
def export_command(
    run: Annotated[Path, typer.Argument(help="A training run.")],
    *,
    step: Annotated[int, typer.Option(help="Step of the checkpoint.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for the checkpoint [required].")] = None,
    to: Former = None,
    critic: Annotated[bool, typer.Option("--critic", help="Export the critic instead; see orz_rl/critic.py.")] = False,
) -> None:
    """Write the policy of a step as a Hugging Face checkpoint, by the backend that trained the run."""
    from orz_bench.errors import ConfigError
    from orz_bench.records.run_dir import RunDir
    from orz_rl.backends.registry import BACKENDS
    from orz_rl.backends.start import backend_of

    target = out or to
    if target is None:
        raise ConfigError("--out is missing: give a new folder for the checkpoint.")
    directory = RunDir(run)
    backend = BACKENDS.load(backend_of(directory))
    backend.export(directory, step, out=target, model="critic" if critic else "policy")
    result_console().print(f"checkpoint: {target}", markup=False, highlight=False, soft_wrap=True)


@reports_errors
def build_tiny_command(
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint.")],
    *,
    seed: Annotated[int, typer.Option(help="Seed of weights and demonstrations.")] = 1,
    updates: Annotated[
        int | None, typer.Option(min=1, help="Number of supervised updates [default: 1500; programs: 300].")
    ] = None,
    task: Annotated[
        Literal["sums", "programs"],
        typer.Option(help="programs: continue from the embedded model with sums that are answered by a program."),
    ] = "sums",
) -> None:
    """Rebuild the embedded base model: about 15 minutes on one core; for programs a few minutes."""
    from orz_rl.assets.build import PROGRAMS, SUMS, build_tiny

    console = stderr_console()
    tasks = {"sums": SUMS, "programs": PROGRAMS}
    build_tiny(
        out, seed=seed, num_updates=updates, task=tasks[task], report=lambda text: console.print(text, highlight=False)
    )
    result_console().print(f"checkpoint: {out}", markup=False, highlight=False, soft_wrap=True)
