"""orz-analysis: report · reflection · compare · figure · figures · metrics."""

from __future__ import annotations

import typer

from analysis.commands.figures import figure_command, figures_command, metrics_command
from analysis.commands.reflection import reflection_command
from analysis.commands.report import compare_command, report_command

app = typer.Typer(
    name="orz-analysis",
    help="Read runs and answer: did it learn, when, how, and is the reflection real?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("report")(report_command)
app.command("reflection")(reflection_command)
app.command("compare")(compare_command)
app.command("figure")(figure_command)
app.command("figures")(figures_command)
app.command("metrics")(metrics_command)


def main() -> None:
    """The entry point of the orz-analysis script."""
    app()


if __name__ == "__main__":
    main()
