"""The public Python functions of orz_bench, with the code of the commands: `evaluate`, `grade`, `probe` and others.

    import orz_bench

    results = orz_bench.evaluate("models/mine", benchmarks=["aime24"], n=16)
    results.summary   # one row per benchmark and step
    results.rows      # one row per answer

Import them from `orz_bench`; docs/api.md lists what is public. They print nothing, and raise orz_bench.errors.OrzError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints, overload

import pyarrow as pa

from orz_bench.environment import data_folders
from orz_bench.errors import ConfigError, counted, nearest
from orz_bench.evaluation.options import EvalOptions
from orz_bench.installed.extras import require
from orz_bench.records.contamination import Contamination
from orz_bench.records.rollout import AnswerKind, Grade, Rollout
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult
from orz_bench.records.thought_need import ThoughtNeed
from orz_bench.records.thoughts import ThoughtUse
from orz_bench.results.lookup import ComparedBenchmark, compare_runs, results_of

if TYPE_CHECKING:
    import pandas as pd

    from orz_bench.evaluation.evaluate import Evaluation

__all__ = [
    "Contamination",
    "Probed",
    "Results",
    "check_contamination",
    "compare",
    "evaluate",
    "grade",
    "load",
    "option_names",
    "options_of",
    "probe",
]

Group = TypeVar("Group")


@dataclass(frozen=True, slots=True)
class Results:
    """Finished evaluations of one run directory, and their answers."""

    path: Path
    """The run directory."""
    evaluations: tuple[EvalResult, ...]
    """By benchmark and step; each with its `summary` and `protocol`."""

    @property
    def table(self) -> pa.Table:
        """Every graded answer: the columns of a rollout (docs/run-directory.md). Arrow, read from disk at each call."""
        run = RunDir(self.path)
        places = [
            run.evaluation(benchmark=one.benchmark, step=one.step, fingerprint=one.fingerprint)
            for one in self.evaluations
        ]
        return pa.concat_tables([place.read() for place in places])

    @property
    def rows(self) -> pd.DataFrame:
        """`table` as a pandas DataFrame. Needs pandas."""
        require("analysis", what="a DataFrame", but=("duckdb", "matplotlib", "ruptures", "scipy"))
        frame: pd.DataFrame = self.table.to_pandas()
        return frame

    @property
    def summary(self) -> pd.DataFrame:
        """One row per evaluation: run, benchmark, step and every statistic of docs/statistics.md. Needs pandas."""
        require("analysis", what="a DataFrame", but=("duckdb", "matplotlib", "ruptures", "scipy"))
        import pandas as pd

        return pd.DataFrame([one.to_json() for one in self.evaluations])


def evaluate(
    checkpoint: str | Path,
    *,
    benchmarks: Sequence[str] | None = None,
    out: str | Path | None = None,
    notice: Callable[[str], None] | None = None,
    **options: Any,
) -> Results:
    """What `orz-bench eval` does: generate what is missing, grade it, and return all results.

    Args:
        checkpoint: As for --ckpt: a folder, a hub id, a training run, or a model's name on a server.
        benchmarks: As for --bench; None: the four headline benchmarks.
        out: The run directory; None: runs/NAME, or the training run itself.
        notice: Receives each message for the user.
        **options: Any other option of the command by its name in Python, such as `n=16`, `temperature=0.6`,
            `engine="vllm"`, `max_tokens=8192`, `limit=100`, `seed=0`; lists where an option may be repeated.

    Raises OrzError for whatever settings, files or an engine cause; finished answers stay on disk, and the same call
    resumes.
    """
    from orz_bench.evaluation.run_evaluation import run_evaluations

    values = dict(options) | {"checkpoint": str(checkpoint), "out": Path(out) if out is not None else None}
    if benchmarks is not None:
        values["benchmarks"] = (benchmarks,) if isinstance(benchmarks, str) else benchmarks
    if values.get("critic") is not None:
        values["critic"] = Path(values["critic"])
    folders = values.get("data_folders", ())
    values["data_folders"] = [*map(Path, folders), *data_folders(None)]
    results = run_evaluations(options_of(EvalOptions, values), observer=_Listener(notice))
    return Results(Path(results[0].run), tuple(results))


def load(run: str | Path) -> Results:
    """The finished evaluations of a run directory; nothing is generated."""
    found = results_of(Path(run))
    return Results(Path(run), tuple(found))


@overload
def grade(response: str, gold: str, *, kind: AnswerKind = ..., extractor: str = ..., **limits: Any) -> Grade: ...


@overload
def grade(
    response: Sequence[str], gold: Sequence[str], *, kind: AnswerKind = ..., extractor: str = ..., **limits: Any
) -> list[Grade]: ...


def grade(
    response: str | Sequence[str],
    gold: str | Sequence[str],
    *,
    kind: AnswerKind = "math",
    extractor: str = "final",
    **limits: Any,
) -> Grade | list[Grade]:
    r"""Grade one response, or many, as benchmarks and rewards are: `grade(r"So it is \boxed{1/2}.", "0.5").verdict`.

    Args:
        response: The text of the model, or a list of texts.
        gold: The right answer, or a list of as many.
        kind: "math", or "choice" for the letter of an option.
        extractor: Rule that finds the answer; see docs/grading.md.
        **limits: `deadline_s`, `num_workers` of orz_bench.grading.grader.Grader; `num_choices` for choices.

    Raises ConfigError where there are not as many golds as responses. Model output is never evaluated.
    """
    from orz_bench.grading.grader import Grader, Submission

    if kind not in ("math", "choice"):
        raise ConfigError(f"kind {kind!r} is graded with its benchmark's data: use orz-bench grade, or evaluate().")
    responses = [response] if isinstance(response, str) else list(response)
    golds = [gold] if isinstance(gold, str) else list(gold)
    if len(responses) != len(golds):
        found = f"{counted(len(responses), 'response')} and {counted(len(golds), 'gold')}"
        raise ConfigError(f"found {found}, wanted a gold for each response.")
    num_choices = int(limits.pop("num_choices", 26 if kind == "choice" else 0))
    submissions = [
        Submission(gold=right, kind=kind, num_choices=num_choices, response=text)
        for text, right in zip(responses, golds, strict=True)
    ]
    with Grader(extractor=extractor, **limits) as grader:
        grades = grader.grade(submissions)
    return grades[0] if isinstance(response, str) else grades


def compare(
    run_a: str | Path, run_b: str | Path, *, benchmarks: Sequence[str] | None = None, across_protocols: bool = False
) -> list[ComparedBenchmark]:
    """What `orz-bench compare` does: B minus A on every benchmark that both runs have, question by question.

    A run may be `RUN@STEP`. Raises ConfigError where they share no benchmark or differ in their protocols.
    """
    return compare_runs(str(run_a), str(run_b), benchmarks=benchmarks, across_protocols=across_protocols)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What `probe` found about one evaluation."""

    benchmark: str
    step: int
    fingerprint: str
    """Of the protocol."""
    path: Path
    """The folder with what is stored."""
    use: ThoughtUse | None
    """Where responses first conclude the right answer; None with a checkpoint."""
    need: ThoughtNeed | None
    """What the checkpoint answers without the thought, or parts of it; None without a checkpoint."""


def probe(
    run: str | Path,
    *,
    checkpoint: str | Path | None = None,
    benchmarks: Sequence[str] = (),
    step: int | None = None,
    notice: Callable[[str], None] | None = None,
    **options: Any,
) -> list[Probed]:
    """What `orz-bench probe` does: is the thought used? One result for each evaluation, stored beside its samples.

    Args:
        run: A run directory with finished evaluations.
        checkpoint: As for --ckpt: a model that is asked again; None: stored responses are read, and no model is loaded.
        benchmarks: Only these; none: all.
        step: Only this step.
        notice: Receives each message for the user.
        **options: With a checkpoint, any other option of the command by its name in Python; `at` are shares, such as
            `at=(0, 0.5, 1)`.

    Raises ConfigError for evaluations and options that do not fit. The same call with a checkpoint resumes.
    """
    from orz_bench.commands.probing import NeedOptions, asked_about_thoughts
    from orz_bench.probing.thought_use import evaluations_of, kept_thought_use

    chosen = evaluations_of(Path(run), benchmarks=_several(benchmarks), step=step)
    if checkpoint is None:
        if options:
            raise ConfigError(f"option {next(iter(options))!r} is for a model that is asked again; name a checkpoint.")
        return [_probed(each, each.path, use=kept_thought_use(each)) for each in chosen]
    need = options_of(NeedOptions, options | {"ckpt": str(checkpoint)})
    found = asked_about_thoughts(chosen, need, observer=_Quiet(notice))
    return [_probed(each, path, need=one) for each, one, path in found]


def _probed(
    directory: EvaluationDir, path: Path, *, use: ThoughtUse | None = None, need: ThoughtNeed | None = None
) -> Probed:
    return Probed(
        benchmark=directory.benchmark,
        step=directory.step,
        fingerprint=directory.fingerprint,
        path=path,
        use=use,
        need=need,
    )


def check_contamination(
    checkpoint: str | Path,
    *,
    benchmarks: Sequence[str],
    fresh: Sequence[str] = (),
    out: str | Path | None = None,
    notice: Callable[[str], None] | None = None,
    **options: Any,
) -> Contamination:
    """What `orz-bench contamination` does: does a model know questions by heart?

    Args:
        checkpoint: As for --ckpt: a folder, a hub id, or a training run.
        benchmarks: As for --bench.
        fresh: Benchmarks of the same kind that the model cannot know; each of the others is held against them.
        out: The run directory; None: runs/NAME.
        notice: Receives each message for the user.
        **options: Any other option of the command by its name in Python; `at` are shares, such as `at=(0.4, 0.8)`.

    Raises OrzError for whatever settings, files or an engine cause. The same call resumes.
    """
    from orz_bench.commands.contamination import ContaminationOptions, asked_questions

    folders = [*map(Path, options.get("data_folders", ())), *data_folders(None)]
    named = {"bench": _several(benchmarks), "fresh": _several(fresh), "out": Path(out) if out is not None else None}
    given = options_of(ContaminationOptions, options | named | {"data_folders": folders})
    return asked_questions(str(checkpoint), given, observer=_Quiet(notice), command=["orz_bench.check_contamination"])


def _several(names: Sequence[str]) -> tuple[str, ...]:
    """One name, or several."""
    return (names,) if isinstance(names, str) else tuple(names)


def options_of(group: type[Group], values: Mapping[str, Any]) -> Group:
    """A dataclass of options, whose fields may be dataclasses of options, from values by name.

    ConfigError for a name that no field has. Lists become tuples.
    """
    known = list(option_names(group))
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ConfigError(f"option {unknown[0]!r} is unknown{nearest(unknown[0], known)}; docs/api.md lists all.")
    built: Group = _built(group, values)
    return built


def option_names(group: type[Any]) -> Iterator[str]:
    """The names that options_of takes, in the order of their declaration."""
    hints = get_type_hints(group)
    for field in fields(group):
        if is_dataclass(hints[field.name]):
            yield from option_names(hints[field.name])
        else:
            yield field.name


def _built(group: type[Any], values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(group)
    own: dict[str, Any] = {}
    for field in fields(group):
        name, hint = field.name, hints[field.name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            own[name] = _built(hint, values)
        elif name in values:
            own[name] = tuple(values[name]) if isinstance(values[name], list) else values[name]
    return group(**own)


@dataclass(frozen=True, slots=True)
class _Listener:
    """An Observer that passes notices on, and ignores progress."""

    to: Callable[[str], None] | None

    def notice(self, text: str) -> None:
        if self.to is not None:
            self.to(text)

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None: ...

    def generating(self) -> None: ...

    def committed(self, rollouts: Sequence[Rollout]) -> None: ...

    def finished(self, result: EvalResult) -> None: ...


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A Watcher that passes notices on, and ignores progress."""

    to: Callable[[str], None] | None

    def notice(self, text: str) -> None:
        if self.to is not None:
            self.to(text)

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None: ...

    def committed(self, number: int, /) -> None: ...
