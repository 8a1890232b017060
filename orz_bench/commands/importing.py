"""orz-bench import."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.errors import counted
from orz_bench.terminal import Grade, StepColumn, listed, reports_errors, stderr_console

if TYPE_CHECKING:
    from orz_bench.exchange.import_files import ImportedFile
    from orz_bench.records.run_dir import EvaluationDir

_DIGITS = re.compile(r"\d[\d,]*")
_MOST_ALIKE = 3
_MOST_SCORES = 12
FORMATS = (
    "orz", "inspect", "evalscope", "lm-eval", "lighteval", "livecodebench", "qwen-math", "nemo-skills", "verifiers",
    "verl", "trl", "skyrl", "openrlhf", "prime-rl", "opencompass", "wandb", "tensorboard", "jsonl",
)  # fmt: skip
"""Names of orz_bench.exchange.formats, which needs pyarrow; a test compares them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCommandOptions:
    """What the files do not say."""

    from_: Annotated[str, typer.Option("--from", help=f"auto: recognised by the content; or {listed(FORMATS)}.")] = (
        "auto"
    )
    bench: Annotated[str | None, typer.Option(help="Benchmark of rows without one [default: the file's name].")] = None
    step: Annotated[int | None, typer.Option(min=0, help="Step of rows without one [default: 0].")] = None
    as_: Annotated[
        Literal["auto", "eval", "train"],
        typer.Option(
            "--as", help="Kind of the rows; auto: as the format says, a table is training if it has a reward."
        ),
    ] = "auto"
    run: Annotated[str | None, typer.Option(help="Only the rows of this run, if a file holds several.")] = None
    step_column: StepColumn = None
    grade: Grade = False


@reports_errors
@takes_options
def import_command(
    options: ImportCommandOptions,
    *,
    files: Annotated[list[Path], typer.Argument(help="Files of other tools, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The run directory to create or extend.")],
) -> None:
    """Turn rollouts, evaluations and curves of other tools into a run directory.

    Running the same command again writes nothing twice; a stopped import resumes.
    """
    from orz_bench.exchange.import_files import ImportOptions, import_files

    console = stderr_console()

    def show(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    settings = ImportOptions(
        benchmark=options.bench,
        step=options.step,
        rows_are=options.as_,
        run=options.run,
        format=None if options.from_ == "auto" else options.from_,
        step_column=options.step_column,
        grade=options.grade,
        command=("orz-bench", *sys.argv[1:]),
    )
    for folder in filter(Path.is_dir, files):
        console.print(f"reading {folder}", style="dim", markup=False, highlight=False, soft_wrap=True)
    _show_files(import_files(files, out, options=settings, notice=show), show)
    show(f"written to {out}")
    scores = _scores(out)
    for line in scores:
        show(f"  {line}")
    shown = [f"orz-bench report {out}"] if scores else []
    pages = [f"orz-analysis report {out} --out report", f"orz-app --runs {out.parent}"]
    show(f"see it with: {' | '.join([*shown, *pages])}")


def _show_files(done: Iterable[ImportedFile], show: Callable[[str], None]) -> None:
    """A line a file, with its notes; of many files of one kind only the first ones, and the number of the others."""
    shown: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for one in done:
        kind = _DIGITS.sub("*", " ".join((one.what, *one.notes, *(str(Path(target).parent) for target in one.targets))))
        shown[kind] += 1
        if shown[kind] > _MOST_ALIKE:
            rows[kind] += one.num_rows
            continue
        show(f"{one.source}: {one.what}; {_outcome(one)}")
        for note in one.notes:
            show(f"  {note}")
    for kind, num_rows in rows.items():
        others = shown[kind] - _MOST_ALIKE
        what = kind.partition(" of ")[0]
        show(f"... and {counted(others, 'file')} more: {what}, {counted(num_rows, 'row')}")


def _scores(out: Path) -> list[str]:
    """A line for each benchmark: its first and its last score and whose verdicts they are, or that it has none."""
    from orz_bench.records.run_dir import RunDir

    by_benchmark: dict[str, list[EvaluationDir]] = {}
    for evaluation in RunDir(out).evaluations():
        by_benchmark.setdefault(evaluation.benchmark, []).append(evaluation)
    lines = []
    for benchmark, evaluations in list(by_benchmark.items())[:_MOST_SCORES]:
        ordered = sorted(evaluations, key=lambda one: one.step)
        scored = [(one.step, result) for one in ordered if (result := one.result()) is not None]
        if not scored:
            lines.append(f"{benchmark}: – ({_why_unscored(ordered[-1])})")
            continue
        (first, start), (last, end) = scored[0], scored[-1]
        before = f"{100 * start.summary.avg_at_n:.1f} at step {first}, " if len(scored) > 1 else ""
        at = f" at step {last}" if last or len(scored) > 1 else ""
        judge = f" (verdicts of {end.protocol.get('judged_by', 'ours')})"
        second = end.summary.accuracy_second_extractor
        beside = "" if second is None else f"; {100 * second:.1f} by {end.summary.second_extractor}"
        lines.append(f"{benchmark}: avg@{end.summary.n} {before}{100 * end.summary.avg_at_n:.1f}{at}{judge}{beside}")
    if len(by_benchmark) > _MOST_SCORES:
        lines.append(f"... and {len(by_benchmark) - _MOST_SCORES} more benchmarks")
    return lines


def _why_unscored(evaluation: EvaluationDir) -> str:
    from orz_bench.records.judged import NO_RESPONSE

    rows = evaluation.read(["verdict", "why"]).to_pylist()
    if all(row["why"] == NO_RESPONSE for row in rows):
        return f"none of {counted(len(rows), 'sample')} has a response: every request failed"
    missing = sum(row["verdict"] is None for row in rows)
    return f"{missing:,} of {counted(len(rows), 'sample')} without a verdict; --grade judges those that have a gold"


def _outcome(done: ImportedFile) -> str:
    if done.was_there:
        return "was there already"
    return f"{counted(done.num_rows, 'step' if done.is_curve else 'rollout')} into {', '.join(done.targets)}"
