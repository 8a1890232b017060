"""orz-bench probe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from orz_bench.commands.asked import asking
from orz_bench.commands.options import takes_options
from orz_bench.commands.parsed import parse_shares
from orz_bench.engines.model_options import ModelOptions
from orz_bench.errors import ConfigError, counted
from orz_bench.evaluation.options import parse_names
from orz_bench.terminal import Json, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from rich.table import Table

    from orz_bench.commands.asked import Watcher
    from orz_bench.engines.asked_model import AskedModel
    from orz_bench.interventions.stored import Measured, NeedSettings, StoredThought
    from orz_bench.records.run_dir import EvaluationDir
    from orz_bench.records.thought_need import ThoughtNeed
    from orz_bench.records.thoughts import Share, ThoughtUse


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedOptions:
    """What a model is asked about the thoughts."""

    ckpt: Annotated[
        str | None,
        typer.Option(
            "--ckpt", "--model", help="Ask this model again: checkpoint folder, hub id or training run [default: none]."
        ),
    ] = None
    at: Annotated[
        tuple[float, ...],
        typer.Option(help="Percent of the thought behind which the model answers [default: 0,10,...,100]."),
        parse_shares,
    ] = ()
    measure: Annotated[
        Literal["now", "later", "both", "none"],
        typer.Option(help="Steps by answers right behind them, by the thought that goes on, both, or not at all."),
    ] = "now"
    max_steps: Annotated[int, typer.Option(min=0, help="Steps of a response that are scored; 0: all.")] = 8
    answer_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a forced answer.")] = 64
    close: Annotated[str | None, typer.Option(help="What is put behind a cut thought [default: of the template].")] = (
        None
    )
    questions: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.")] = None
    responses: Annotated[int | None, typer.Option(min=1, help="Only the first N responses to a question.")] = None
    seed: Annotated[int, typer.Option(help="Of the steps that are scored, and of their other numbers.")] = 0
    model: ModelOptions = field(default_factory=ModelOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Which evaluations are probed."""

    bench: Annotated[
        tuple[str, ...], typer.Option(help="Only these benchmarks, separated by commas."), parse_names
    ] = ()
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One evaluation with what a model is asked about it."""

    directory: EvaluationDir
    settings: NeedSettings
    thoughts: list[StoredThought]
    num_left_out: int

    def answered(self, model: AskedModel, observer: Watcher) -> tuple[EvaluationDir, ThoughtNeed, Path]:
        """With what the model needs, and the folder of the rows."""
        from orz_bench.interventions.need import thought_need

        done, folder = thought_need(
            self.directory,
            self.thoughts,
            model=model,
            settings=self.settings,
            num_left_out=self.num_left_out,
            observer=observer,
        )
        return self.directory, done, folder.path


@reports_errors
@takes_options
def probe_command(
    options: ProbeOptions,
    need: NeedOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    json_output: Json = False,
) -> None:
    """Is the thought used? Where stored responses first conclude the right answer; with --ckpt, what a model needs.

    Without --ckpt no model is loaded. With it the same command again resumes.
    """
    from orz_bench.probing.thought_use import evaluations_of

    chosen = evaluations_of(run, benchmarks=options.bench, step=options.step)
    if need.ckpt is not None:
        _probe_with_model(chosen, need, json_output=json_output)
        return
    given = [name for name in ("close", "questions", "responses") if getattr(need, name) is not None]
    if given:
        raise ConfigError(f"--{given[0]} is for a model that is asked again; add --ckpt.")
    _probe(chosen, json_output=json_output)


def _probe(chosen: Sequence[EvaluationDir], *, json_output: bool) -> None:
    from orz_bench.probing.thought_use import kept_thought_use

    found = [(directory, kept_thought_use(directory)) for directory in chosen]
    if json_output:
        rows = [_place(at) | use.to_json() for at, use in found]
        print_result(json.dumps({"evaluations": rows}, ensure_ascii=False))
        return
    for at, use in found:
        result_console().print(_table(at, _facts(use)))


def _probe_with_model(chosen: Sequence[EvaluationDir], need: NeedOptions, *, json_output: bool) -> None:
    with asking(noun="response", done="probed") as display:
        found = asked_about_thoughts(chosen, need, observer=display)
    if json_output:
        rows = [_place(at) | {"path": str(path)} | done.to_json() for at, done, path in found]
        print_result(json.dumps({"evaluations": rows}, ensure_ascii=False))
        return
    for at, done, path in found:
        result_console().print(_table(at, _need_facts(done)))
        result_console().print(f"rows: {path}", markup=False, highlight=False, soft_wrap=True)


def asked_about_thoughts(
    chosen: Sequence[EvaluationDir], need: NeedOptions, *, observer: Watcher
) -> list[tuple[EvaluationDir, ThoughtNeed, Path]]:
    """Ask the model of `need` about these evaluations: each with what it needs, and the folder of the rows."""
    from orz_bench.engines.asked_model import asked_model

    assert need.ckpt is not None
    asked = [_Asked(directory, *_thoughts(directory, need)) for directory in _of_model(chosen, need.ckpt)]
    steps = dict.fromkeys(one.directory.step if _is_run(need.ckpt) else None for one in asked)
    found: list[tuple[EvaluationDir, ThoughtNeed, Path]] = []
    for step in steps:
        of_step = [one for one in asked if step in (None, one.directory.step)]
        with asked_model(need.ckpt, need.model, step=step, notice=observer.notice) as model:
            found += [one.answered(model, observer) for one in of_step]
    return found


def _is_run(name: str) -> bool:
    return (Path(name) / "run.json").exists()


def _of_model(chosen: Sequence[EvaluationDir], name: str) -> list[EvaluationDir]:
    """The evaluations that the model is asked about: of a run, those whose step it has a checkpoint of."""
    from orz_bench.records.run_dir import RunDir

    if not _is_run(name):
        return list(chosen)
    known = {step for step, _ in RunDir(Path(name)).checkpoints()}
    kept = [directory for directory in chosen if directory.step in known]
    if not kept:
        steps = ", ".join(map(str, dict.fromkeys(directory.step for directory in chosen)))
        have = ", ".join(map(str, sorted(known))) or "none"
        raise ConfigError(
            f"--ckpt {name}: has no checkpoint of the steps that were evaluated ({steps}); it has {have}. Name "
            f"the folder of the model that wrote the responses."
        )
    return kept


def _thoughts(directory: EvaluationDir, need: NeedOptions) -> tuple[NeedSettings, list[StoredThought], int]:
    from orz_bench.interventions.stored import TENTHS, NeedChoices, settings_for, stored_thoughts

    measured = {"now": ("now",), "later": ("later",), "both": ("now", "later"), "none": ()}
    if need.measure not in measured:
        raise ConfigError(f"measure {need.measure!r} is unknown; choose one of {', '.join(measured)}.")
    if wrong := [share for share in need.at if not 0 <= share <= 1]:
        raise ConfigError(f"at: {wrong[0]:g} is no share of a thought; wanted 0 to 1.")
    choices = NeedChoices(
        positions=tuple(need.at) or TENTHS,
        measured=cast("tuple[Measured, ...]", measured[need.measure]),
        max_steps=need.max_steps,
        answer_tokens=need.answer_tokens,
        force=need.close,
        seed=need.seed,
    )
    settings = settings_for(directory, choices)
    thoughts, num_left_out = stored_thoughts(directory, settings, limit=need.questions, responses=need.responses)
    return settings, thoughts, num_left_out


def _place(directory: EvaluationDir) -> dict[str, object]:
    return {"benchmark": directory.benchmark, "step": directory.step, "fingerprint": directory.fingerprint}


def _table(directory: EvaluationDir, facts: dict[str, str]) -> Table:
    from rich.table import Table

    title = f"{directory.benchmark}, step {directory.step}"
    table = Table(title=title, show_header=False, box=None, title_justify="left")
    for name, text in facts.items():
        table.add_row(name, text)
    return table


def _facts(use: ThoughtUse) -> dict[str, str]:
    found = {
        "responses": f"{use.num_right:,} right, {use.num_wrong:,} wrong, {counted(use.num_questions, 'question')}"
        + (f"; {use.num_left_out:,} left out" if use.num_left_out else "")
    }
    if use.mean_length is not None and use.mean_first is not None:
        found["outcome efficiency"] = _shown(use.outcome_efficiency)
        found["right answers come after"] = f"{use.mean_first:,.1f} of {use.mean_length:,.1f} {use.unit}"
    if use.num_wrong:
        found["underthinking"] = f"{_shown(use.underthinking)}; by chance {_shown(use.underthinking_by_chance)}"
        found["wrong ones that concluded the right answer"] = (
            f"{_shown(use.reached)}; the answer to another question {_shown(use.reached_by_chance)}"
        )
    return found


def _need_facts(need: ThoughtNeed) -> dict[str, str]:
    found = {
        "model": need.model,
        "responses": f"{need.num_responses:,} to {counted(need.num_questions, 'question')}"
        + (f"; {need.num_left_out:,} left out" if need.num_left_out else ""),
    }
    for at, position in enumerate(need.positions):
        own = f"; the response's own answer {_shown(need.own[at])}" if need.own else ""
        found[f"right after {100 * position:g} % of the thought"] = f"{_shown(need.accuracy[at])}{own}"
    for scores in need.steps:
        where = "right behind it" if scores.measured == "now" else "where the thought goes on"
        found[f"score of {scores.kind}, {where}"] = (
            f"{scores.score.value:.3f} ({counted(scores.num_steps, 'step')}), supports {scores.support:+.3f}; "
            f"decorative {_shown(scores.decorative)}"
        )
    return found


def _shown(share: Share | None) -> str:
    if share is None:
        return "–"
    if share.low is None or share.high is None:
        return f"{100 * share.value:.1f} %"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
