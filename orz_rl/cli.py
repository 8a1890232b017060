"""orz-rl: train · distill · fit-critic · plan · check · doctor · backends · compare-backends · watch · recipes · data ·
curate · export · build-tiny
"""

from __future__ import annotations

from orz_bench.terminal import command_line, names_plugins, version_option
from orz_rl.commands.backends import backends_command
from orz_rl.commands.compare_backends import compare_backends_command
from orz_rl.commands.curate import curate_app
from orz_rl.commands.data import data_app
from orz_rl.commands.distill import distill_command
from orz_rl.commands.doctor import doctor_command
from orz_rl.commands.fit_critic import fit_critic_command
from orz_rl.commands.plan import plan_command
from orz_rl.commands.recipes import build_tiny_command, check_command, export_command, recipes_command
from orz_rl.commands.train import train_command
from orz_rl.commands.watch import watch_command

app = command_line("orz-rl", "Train a model with a rule-based reward, and keep every rollout.")
app.callback()(version_option)
app.command("train", cls=names_plugins({"--backend": "orz.backends"}))(train_command)
app.command("distill")(distill_command)
app.command("fit-critic")(fit_critic_command)
app.command("plan")(plan_command)
app.command("check")(check_command)
app.command("doctor")(doctor_command)
app.command("backends")(backends_command)
app.command("compare-backends")(compare_backends_command)
app.command("watch")(watch_command)
app.command("recipes")(recipes_command)
app.add_typer(data_app, name="data")
app.add_typer(curate_app, name="curate")
app.command("export")(export_command)
app.command("build-tiny")(build_tiny_command)


def main() -> None:
    """The entry point of the orz-rl script."""
    app()


if __name__ == "__main__":
    main()
