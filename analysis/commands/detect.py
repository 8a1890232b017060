"""orz-analysis detect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.commands.arguments import split_names
from orz_bench.commands.options import takes_options
from orz_bench.errors import ConfigError
from orz_bench.judging.options import JudgeOptions
from orz_bench.terminal import (
    BarDisplay,
    Json,
    libraries_on_stderr,
    listed,
    print_result,
    reports_errors,
    result_console,
    stderr_console,
)

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.table import Table

    from analysis.behaviours.agreement import Rate
    from analysis.behaviours.behaviour import Behaviour
    from analysis.behaviours.marking import Judge
    from analysis.behaviours.study import BehaviourStudy, StepPrevalence

SHIPPED = ("reflection", "guessing", "no-reasoning", "language-mixing", "copied-prompt", "repetition")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectOptions:
    """Which behaviours are looked for, where, and what they are held against."""

    behaviour: Annotated[
        str | None,
        typer.Option(help=f"{listed(SHIPPED)}, module:NAME or file.py:NAME, separated by commas [default: all ours]."),
    ] = None
    bench: Annotated[
        str | None, typer.Option(help="Only these benchmarks, separated by commas; `training` is one [default: all].")
    ] = None
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None
    tags: Annotated[
        Path | None, typer.Option(help="Rollouts exported from the app, with tags to hold the detectors against.")
    ] = None
    tag: Annotated[str | None, typer.Option(help="The tag, for one behaviour [default: its name].")] = None
    judge: Annotated[
        str | None,
        typer.Option(help="Model that answers a behaviour's question: a checkpoint, or a model's name on a server."),
    ] = None
    judging: JudgeOptions = field(default_factory=JudgeOptions, metadata={"prefix": "judge_"})
    out: Annotated[Path | None, typer.Option(help="Write behaviours.png, .pdf and .csv into this folder.")] = None


class _Display(BarDisplay):
    """An Observer: a bar of responses on a terminal."""

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """A new bar, where something is missing."""
        self._task: TaskID | None = self._bar.add_task(name, total=num_missing) if num_missing else None

    def committed(self, num_responses: int) -> None:
        """Advance it."""
        if self._task is not None:
            self._bar.advance(self._task, num_responses)


@reports_errors
@takes_options
def detect_command(
    options: DetectOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    json_output: Json = False,
) -> None:
    """Which responses show a behaviour? By pattern, program or judge; with tags, how well, and the true prevalence.

    Marks are stored beside the rollouts; the same command again marks only what is new. Tags are kept in the run, so
    that reports correct prevalences, too.
    """
    from analysis.behaviours.behaviour import find_behaviour

    behaviours = [find_behaviour(name) for name in split_names(options.behaviour) or SHIPPED]
    if options.tag is not None and (options.tags is None or len(behaviours) != 1):
        raise ConfigError("--tag names the tag of one behaviour in a file: give --tags and one --behaviour.")
    if options.judge is None and (asking := [one.name for one in behaviours if one.question]):
        raise ConfigError(f"behaviour {asking[0]} is a question to a model; name one with --judge.")
    found = _studies(run, behaviours, options=options)
    if json_output:
        print_result(json.dumps({"behaviours": [study.to_json() for study in found]}, ensure_ascii=False))
    else:
        for table in _tables(found):
            result_console().print(table)
    if options.out is not None:
        from analysis.commands.figures import save_into
        from analysis.figures.behaviours import behaviours_figure

        save_into(behaviours_figure(found), options.out, beside_json=json_output)


def _studies(run: Path, behaviours: Sequence[Behaviour], *, options: DetectOptions) -> list[BehaviourStudy]:
    from analysis.behaviours.judges import opened_judge
    from analysis.behaviours.marking import marked, require_marks, sources_of
    from analysis.behaviours.study import behaviour_study
    from analysis.behaviours.tags import agreement_with, keep_judged, read_tags
    from orz_bench.records.run_dir import RunDir

    judged = None if options.tags is None else read_tags(options.tags)
    sources = sources_of(RunDir(run), benchmarks=split_names(options.bench), step=options.step)
    studies = []
    with ExitStack() as stack:
        stack.enter_context(libraries_on_stderr())
        display = stack.enter_context(_Display(stderr_console()))
        judge: Judge | None = None
        if options.judge is not None and any(one.question for one in behaviours):
            judge = stack.enter_context(opened_judge(options.judge, options.judging, notice=display.notice))
        for behaviour in behaviours:
            marks = [marked(behaviour, source, judge=judge, observer=display) for source in sources]
            require_marks(marks, behaviour.name)
            agreement = None
            if judged is not None:
                tag = options.tag or behaviour.name
                agreement = agreement_with(judged, marks, tag=tag)
                keep_judged(RunDir(run), behaviour.name, judged=judged, found=marks, tag=tag)
            studies.append(behaviour_study(behaviour.name, marks, what=behaviour.what, agreement=agreement))
    return studies


def _tables(found: Sequence[BehaviourStudy]) -> list[Table]:
    from rich.table import Table

    tables = []
    held = [study for study in found if study.agreement is not None]
    if held:
        agreed = Table(
            "behaviour", "tag", "judged", "precision", "recall", "specificity", "kappa", box=None, title_justify="left",
            title="against tags",
        )  # fmt: skip
        for study in held:
            one = study.agreement
            assert one is not None
            num = one.both + one.only_detector + one.only_people + one.neither
            kappa = "–" if one.kappa is None else f"{one.kappa:.2f} ({one.kappa_low:.2f} to {one.kappa_high:.2f})"
            agreed.add_row(
                study.name, one.tag, f"{num:,}", *map(_rate, (one.precision, one.recall, one.specificity)), kappa
            )
        tables.append(agreed)
    for study in found:
        title = f"{study.name}: {study.what}"
        if study.agreement is not None and study.why_uncorrected is not None:
            title += f"\nnot corrected: {study.why_uncorrected}"
        table = Table(
            "rollouts", "step", "responses", "share", "corrected", box=None, title=title, title_justify="left"
        )
        for name, steps in study.sets.items():
            for step in _few(steps):
                fixed = step.corrected
                shown = "–" if fixed is None else _percent(fixed.value, low=fixed.low, high=fixed.high)
                table.add_row(
                    name, str(step.step), f"{step.num:,}", _percent(step.share, low=step.low, high=step.high), shown
                )
        tables.append(table)
    return tables


def _few(steps: Sequence[StepPrevalence]) -> list[StepPrevalence]:
    """At most eleven, evenly spread; --json has all."""
    if len(steps) <= 11:
        return list(steps)
    return [steps[round(at * (len(steps) - 1) / 10)] for at in range(11)]


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "–"
    return f"{_percent(rate.value, low=rate.low, high=rate.high)} of {rate.num:,}"


def _percent(value: float, *, low: float, high: float) -> str:
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
