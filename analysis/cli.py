"""orz-analysis: report · reflection · boundary · values · forecast · weights · tokens · detect · compare · figure"""

from __future__ import annotations

from analysis.commands.boundary import boundary_command
from analysis.commands.detect import detect_command
from analysis.commands.figures import figure_command, figures_command, metrics_command
from analysis.commands.forecast import forecast_command
from analysis.commands.reflection import reflection_command
from analysis.commands.report import compare_command, report_command
from analysis.commands.step_moment import step_moment_command
from analysis.commands.tokens import tokens_command
from analysis.commands.values import values_command
from analysis.commands.weights import weights_command
from orz_bench.terminal import command_line, names_plugins, version_option

app = command_line(
    "orz-analysis", "Read runs and answer: did it learn, when, how, and does reflection improve answers?"
)
_WITH_LEXICONS = names_plugins({"--lexicon": "orz.lexicons"})
app.callback()(version_option)
app.command("report", cls=_WITH_LEXICONS)(report_command)
app.command("reflection", cls=_WITH_LEXICONS)(reflection_command)
app.command("boundary")(boundary_command)
app.command("values", cls=_WITH_LEXICONS)(values_command)
app.command("step-moment", cls=names_plugins({"--detector": "orz.detectors"}))(step_moment_command)
app.command("forecast")(forecast_command)
app.command("weights")(weights_command)
app.command("tokens")(tokens_command)
app.command("detect", cls=names_plugins({"--behaviour": "orz.behaviours"}))(detect_command)
app.command("compare")(compare_command)
app.command("figure", cls=_WITH_LEXICONS)(figure_command)
app.command("figures")(figures_command)
app.command("metrics")(metrics_command)


def main() -> None:
    """Entry point of the orz-analysis script."""
    app()


if __name__ == "__main__":
    main()
