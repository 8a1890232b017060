"""orz-bench contamination."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orz_bench.commands.asked import asking
from orz_bench.commands.options import takes_options
from orz_bench.commands.parsed import parse_shares
from orz_bench.engines.model_options import ModelOptions
from orz_bench.environment import data_folders as parse_data_dir
from orz_bench.errors import ConfigError, counted
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import DATA_DIR, Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from orz_bench.benchmarks.loading.load import LoadedProblems
    from orz_bench.commands.asked import Watcher
    from orz_bench.records.contamination import Contamination, KnownQuestions, OldAgainstFresh
    from orz_bench.records.thoughts import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationOptions:
    """Which questions are completed, and how."""

    bench: Annotated[
        tuple[str, ...],
        typer.Option(help="Benchmarks, or tables of your own, separated by commas."),
        parse_names,
    ]
    fresh: Annotated[
        tuple[str, ...],
        typer.Option(
            help="Benchmarks of the same kind that the model cannot know; each of --bench is held against them."
        ),
        parse_names,
    ] = ()
    at: Annotated[
        tuple[float, ...],
        typer.Option(help="Percent of a question that the model gets [default: 40,60,80]."),
        parse_shares,
    ] = ()
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions of each benchmark.")] = None
    before: Annotated[
        str, typer.Option(help="What stands before a question: none, or the template whose prompt it is in.")
    ] = "none"
    answer_template: Annotated[str, typer.Option(help="Template that asks for an answer.")] = "orz-code"
    answer_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a forced answer.")] = 24
    data_folders: Annotated[tuple[Path, ...], DATA_DIR, parse_data_dir] = ()
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/NAME].")] = None
    step: Annotated[int | None, typer.Option(help="Training step of the checkpoint, or which one of a run.")] = None
    model: ModelOptions = field(default_factory=ModelOptions)


@reports_errors
@takes_options
def contamination_command(
    options: ContaminationOptions,
    *,
    ckpt: Annotated[str, typer.Option("--ckpt", help="Checkpoint folder, hub id, or training run.")],
    json_output: Json = False,
) -> None:
    """Does a model know questions by heart? It completes their beginnings, and answers without the whole question.

    With --fresh a test says whether questions of --bench are completed better. The same command again resumes.
    """
    with asking(noun="question", done="asked") as display:
        found = asked_questions(ckpt, options, observer=display, command=["orz-bench", *sys.argv[1:]])
    if json_output:
        rows = [one.to_json() for one in found.benchmarks]
        tested = [test.to_json() for test in found.against_fresh]
        whole = {"path": str(found.path), "benchmarks": rows, "against_fresh": tested}
        print_result(json.dumps(whole, ensure_ascii=False))
        return
    for one in found.benchmarks:
        result_console().print(_table(one))
    for test in found.against_fresh:
        print_result(_said(test))
    if not found.against_fresh:
        print_result("Rates alone do not show contamination: hold them against questions that are new, with --fresh.")


def asked_questions(
    ckpt: str, options: ContaminationOptions, *, observer: Watcher, command: Sequence[str]
) -> Contamination:
    """Ask a checkpoint about the questions. ConfigError for benchmarks and shares that do not fit."""
    from orz_bench.contamination.asking import ContaminationSettings
    from orz_bench.contamination.study import contamination_of
    from orz_bench.engines.asked_model import asked_model
    from orz_bench.environment import describe_environment
    from orz_bench.records.run_dir import RunDir

    both = set(options.bench) & set(options.fresh)
    if both or not options.bench:
        what = f"{min(both)} is both" if both else "--bench is empty"
        raise ConfigError(f"{what}: name old benchmarks with --bench and others with --fresh.")
    chosen: tuple[float, ...] = options.at or (0.4, 0.6, 0.8)
    if not all(0 < share < 1 for share in chosen):
        raise ConfigError("--at: a question is completed from more than 0 and less than 100 % of it.")
    settings = ContaminationSettings(
        shares=chosen,
        template=options.before,
        answer_template=options.answer_template,
        answer_tokens=options.answer_tokens,
    )
    old, fresh = ([_loaded(name, options) for name in names] for names in (options.bench, options.fresh))
    with asked_model(ckpt, options.model, step=options.step, notice=observer.notice) as model:
        run = RunDir(options.out or Path("runs") / model.identity.label.replace("/", "--"))
        run.create(kind="eval", command=list(command), seed=0, environment=describe_environment())
        return contamination_of(old, fresh, model=model, settings=settings, folder=run.path, observer=observer)


def _loaded(name: str, options: ContaminationOptions) -> LoadedProblems:
    from orz_bench.benchmarks.loading.load import load_problems
    from orz_bench.evaluation.suites import find_benchmark

    loaded = load_problems(find_benchmark(name), folders=options.data_folders)
    return replace(loaded, problems=loaded.problems[: options.limit])


def _table(found: KnownQuestions) -> Table:
    from rich.table import Table

    title = f"{found.benchmark}: {counted(found.num_questions, 'question')}"
    title += f", {found.num_without:,} too short or without an answer" if found.num_without else ""
    table = Table(
        "part of the question", "completed exactly", "ROUGE-L", "right answer", "by chance", box=None, title=title,
        title_justify="left",
    )  # fmt: skip
    completed = {one.share: one for one in found.completions}
    answered = {one.share: one for one in found.answers}
    for share in sorted(completed.keys() | answered.keys()):
        done, said = completed.get(share), answered.get(share)
        table.add_row(
            f"{100 * share:g} %",
            _percent(done.exact if done else None),
            _percent(done.rouge_l if done else None),
            _percent(said.right if said else None),
            _percent(said.by_chance if said else None),
        )
    return table


def _percent(share: Share | None) -> str:
    if share is None:
        return "–"
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f} %"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _said(test: OldAgainstFresh) -> str:
    sides: Sequence[float] = (100 * test.difference, 100 * test.low, 100 * test.high)
    rouge = "{:+.1f} points ({:+.1f} to {:+.1f})".format(*sides)
    verdict = "known by heart in part" if test.is_known else "not shown to be known"
    return (
        f"{test.old} against {test.fresh}: ROUGE-L {rouge}, p = {test.p_value:.2g}; exactly completed "
        f"{100 * test.exact_old:.1f} % and {100 * test.exact_fresh:.1f} %, p = {test.p_exact:.2g}: {verdict}."
    )
