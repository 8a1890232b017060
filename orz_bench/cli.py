"""orz-bench: eval · grade · compare · gate · report · scale · value · probe · contamination · import · export · data"""

from __future__ import annotations

from orz_bench.commands.contamination import contamination_command
from orz_bench.commands.data import data_app, model_app
from orz_bench.commands.evaluate import evaluate_command
from orz_bench.commands.exporting import export_command
from orz_bench.commands.gating import gate_command
from orz_bench.commands.grade import grade_command
from orz_bench.commands.importing import import_command
from orz_bench.commands.probing import probe_command
from orz_bench.commands.results import compare_command, report_command
from orz_bench.commands.scaling import scale_command
from orz_bench.commands.valuing import value_command
from orz_bench.terminal import command_line, names_plugins, version_option

app = command_line("orz-bench", "Ask a checkpoint questions, grade the answers, keep every answer.")
app.callback()(version_option)
app.command("eval", cls=names_plugins({"--engine": "orz.engines"}))(evaluate_command)
app.command("grade")(grade_command)
app.command("compare")(compare_command)
app.command("gate")(gate_command)
app.command("report")(report_command)
app.command("scale")(scale_command)
app.command("value")(value_command)
app.command("probe")(probe_command)
app.command("contamination")(contamination_command)
app.command("import")(import_command)
app.command("export")(export_command)
app.add_typer(data_app, name="data")
app.add_typer(model_app, name="model")


def main() -> None:
    """The entry point of the orz-bench script."""
    app()


if __name__ == "__main__":
    main()
