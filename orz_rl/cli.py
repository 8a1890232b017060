"""orz-rl: train · plan · check · recipes · export · build-tiny."""

from __future__ import annotations

import typer

from orz_rl.commands.plan import plan_command
from orz_rl.commands.recipes import build_tiny_command, check_command, export_command, recipes_command
from orz_rl.commands.train import train_command

app = typer.Typer(
    name="orz-rl",
    help="Train a model with a rule-based reward, and keep everything that it wrote on the way.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train_command)
app.command("plan")(plan_command)
app.command("check")(check_command)
app.command("recipes")(recipes_command)
app.command("export")(export_command)
app.command("build-tiny")(build_tiny_command)


def main() -> None:
    """The entry point of the orz-rl script."""
    app()


if __name__ == "__main__":
    main()
