"""orz-rl distill."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.environment import data_folders
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import DataDir, libraries_on_stderr, reports_errors, result_console, stderr_console
from orz_rl.commands.train import Overrides, Variant
from orz_rl.settings.distill import OPTIONS, AnswerChoice, AnswerSource, Preference

DEFAULT = "tiny_distill"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillOptions:
    """What is learned, from whom, and where."""

    source: Annotated[
        Path | None, typer.Option("--from", help="A run, or a table of rollouts, whose right answers are learned.")
    ] = None
    from_step: Annotated[int, typer.Option(min=0, help="Only answers of this step of --from, or later.")] = 0
    per_problem: Annotated[int | None, typer.Option(min=1, help="At most so many answers of a problem.")] = None
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many answers: one of every problem, then a second one, ...")
    ] = None
    prefer: Annotated[Preference, typer.Option(help="Which answers of a problem come first.")] = "random"
    critic: Annotated[
        str | None, typer.Option(help="Digest of the critic whose stored values decide; with --prefer value.")
    ] = None
    against: Annotated[
        tuple[str, ...],
        typer.Option(help="Benchmarks whose questions are not learned, besides those evaluated; all: every one."),
        parse_names,
    ] = ()
    on_policy: Annotated[
        bool, typer.Option("--on-policy", help="The student samples, and learns the probabilities of --teacher.")
    ] = False
    teacher: Annotated[str | None, typer.Option(help="Checkpoint folder or hub id; with --on-policy.")] = None
    teacher_tokens: Annotated[
        int, typer.Option(min=0, help="Learn so many of the teacher's tokens at every place; 0: the sampled one.")
    ] = 0
    student: Annotated[
        str | None, typer.Option(help="Checkpoint folder or hub id [default: model.policy of the recipe].")
    ] = None
    recipe: Annotated[str, typer.Option(help="Name of a recipe; see `orz-rl recipes`.")] = DEFAULT
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/RECIPE[-VARIANT]].")] = None
    fresh: Annotated[bool, typer.Option(help="Delete an existing run and start over.")] = False


@reports_errors
@takes_options
def distill_command(
    options: DistillOptions, *, overrides: Overrides = None, variant: Variant = None, data_dir: DataDir = None
) -> None:
    """Train a student on the right answers of stored rollouts (--from), or on a teacher's probabilities (--on-policy).

    A training run like any other: the same command resumes it, and `orz-rl train` goes on from its checkpoints.
    """
    from orz_rl.backends.backend import Job
    from orz_rl.backends.start import start
    from orz_rl.commands.progress import TrainingDisplay, closing_summary
    from orz_rl.recipes.registry import resolve

    job = Job(
        config=resolve(options.recipe, variants=variant or (), overrides=[*settings_of(options), *(overrides or ())]),
        out=options.out or Path("runs") / "-".join([options.recipe, *(variant or ())]),
        data=data_folders(data_dir),
        command=("orz-rl", *sys.argv[1:]),
        fresh=options.fresh,
    )
    with libraries_on_stderr(), TrainingDisplay(stderr_console()) as display:
        outcome = start("native", job, observer=display)
    result_console().print(closing_summary(outcome), markup=False, highlight=False, soft_wrap=True)


def settings_of(options: DistillOptions) -> list[str]:
    """The options as overrides of the recipe. ConfigError for a combination that says nothing, or two things."""
    from orz_bench.errors import ConfigError
    from orz_rl.recipes.distill import on_policy, supervised

    student = [f"model.policy={json.dumps(options.student)}"] if options.student else []
    if options.on_policy:
        if options.teacher is None or options.source is not None:
            raise ConfigError(
                "--on-policy needs --teacher, and no --from: the student writes the answers; give --teacher PATH."
            )
        return [*student, *on_policy(options.teacher, teacher_tokens=options.teacher_tokens)]
    if options.teacher_tokens:
        raise ConfigError("--teacher-tokens is for --on-policy --teacher PATH; add those, or leave it out.")
    if options.teacher is not None:
        raise ConfigError("--teacher is for --on-policy; add that, or give --from RUN|FILE with answers to learn.")
    if options.source is None:
        raise ConfigError(
            "nothing to learn from: give --from RUN|FILE (right answers), or --on-policy --teacher PATH "
            "(probabilities)."
        )
    return [*student, *supervised(AnswerSource(str(options.source), _choice_of(options)).text)]


def _choice_of(options: DistillOptions) -> AnswerChoice:
    return AnswerChoice(**{name: getattr(options, name) for name in OPTIONS})
