"""Every analysis of one run that has a command of its own: what it asks, its command, and what it found.

A page of the app shows them one below the other; a report has the same findings of several runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.curves.assessed import with_values
from analysis.curves.behaved import with_behaviours
from analysis.curves.bounded import with_boundaries
from analysis.curves.build import default_lexicon
from analysis.curves.contaminated import with_contamination
from analysis.curves.learning import ends_of
from analysis.curves.probed import with_thoughts
from analysis.curves.study import Study
from analysis.curves.token_layers import MOST_STEPS
from analysis.curves.weighed import kept_weights
from analysis.figures.behaviours import behaviours_figure
from analysis.figures.boundary import boundary_figure
from analysis.figures.contamination import contamination_figure
from analysis.figures.forecast import forecast_figure
from analysis.figures.needs import needs_figure
from analysis.figures.spec import FigureSpec
from analysis.figures.thoughts import thoughts_figure
from analysis.figures.tokens import tokens_figure
from analysis.figures.values import value_figure
from analysis.figures.weights import weights_figure
from analysis.forecast.forecast import SHORTEST
from analysis.report.ages import ages_table
from analysis.report.behaviours_finding import behaviours_finding, behaviours_table
from analysis.report.boundary_finding import boundary_finding
from analysis.report.contamination_finding import contamination_findings, contamination_table, named
from analysis.report.finding import Finding
from analysis.report.forecast_finding import METRIC, forecast_finding, reward_forecast
from analysis.report.tables import Table
from analysis.report.thought_finding import need_finding, thought_finding
from analysis.report.tokens_finding import tokens_finding
from analysis.report.value_finding import value_finding
from analysis.report.weights_finding import weights_finding
from analysis.tokens.layer import token_layer
from orz_bench.errors import DataError, OrzError, counted
from orz_bench.records.run_dir import RunDir


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an analysis says of one run. Nothing at all where its command has not been run."""

    findings: tuple[Finding, ...] = ()
    figure: FigureSpec | None = None
    tables: tuple[Table, ...] = ()
    refusal: str = ""
    """Why there is nothing, or not everything."""

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a finding nor a table."""
        return not self.findings and not self.tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis."""

    name: str
    title: str
    asks: str
    """The question that it answers."""
    command: Callable[[Study], str]
    """Its command line for a run; what the run does not say is in capital letters."""
    find: Callable[[Study], Found]
    files: tuple[str, ...] = ()
    """Patterns of the files in a run directory that it reads and that not every run has; none: it needs no others."""
    is_slow: bool = False
    """Whether it reads many rollouts or weights."""


def found_by(analysis: Analysis, study: Study) -> Found:
    """What it says of this run; what a run cannot give, or is damaged, is the refusal."""
    try:
        return analysis.find(study)
    except OrzError as error:
        return Found(refusal=str(error))


def _notes(after: Study, before: Study) -> str:
    """What could not be read."""
    return " ".join(after.run.notes[len(before.run.notes) :])


def _of_run(line: str) -> Callable[[Study], str]:
    """The command in which {run} is the run's path."""
    return lambda study: line.replace("{run}", _path(study))


def _path(study: Study) -> str:
    return shlex.quote(str(study.run.path))


def _of_checkpoints(command: str, steps: Callable[[Study], Sequence[int]]) -> Callable[[Study], str]:
    """A command that compares the first with the last of these steps of one run."""

    def line(study: Study) -> str:
        known = steps(study)
        first, last = (known[0], known[-1]) if len(known) > 1 else ("FIRST", "LAST")
        return f"{command} {_path(study)}@{first} {_path(study)}@{last}"

    return line


def _evaluated(study: Study) -> list[int]:
    return [one.step for pair in ends_of(study.run.evaluations)[:1] for one in pair]


def _kept(study: Study) -> list[int]:
    return [step for step, _ in RunDir(study.run.path).checkpoints()]


def _thoughts(study: Study) -> Found:
    whole = with_thoughts(study)
    return Found(
        findings=tuple(thought_finding(name, use) for name, use in whole.thoughts.items()),
        figure=thoughts_figure(whole.thoughts) if whole.thoughts else None,
        refusal=_notes(whole, study),
    )


def _needs(study: Study) -> Found:
    whole = with_thoughts(study)
    return Found(
        findings=tuple(need_finding(name, need) for name, need in whole.needs.items()),
        figure=needs_figure(whole.needs) if whole.needs else None,
        refusal=_notes(whole, study),
    )


def _contamination(study: Study) -> Found:
    whole = with_contamination(study)
    known = named(whole.contamination)
    return Found(
        findings=tuple(contamination_findings(whole.contamination)),
        figure=contamination_figure(known),
        tables=tuple(contamination_table(name, one) for name, one in known.items()),
        refusal=_notes(whole, study),
    )


def _ages(study: Study) -> Found:
    table = ages_table(study.run.results)
    if table is None:
        raise DataError("every evaluated benchmark is generated, and its questions are on no page.")
    return Found(tables=(table,))


def _behaviours(study: Study) -> Found:
    whole = with_behaviours(study)
    found = whole.behaviours
    return Found(
        findings=(behaviours_finding(found),) if found else (),
        figure=behaviours_figure(found) if found else None,
        tables=(behaviours_table(found),) if found else (),
        refusal=_notes(whole, study),
    )


def _values(study: Study) -> Found:
    whole = with_values(study, default_lexicon())
    pairs = [(study.run.name, one) for one in whole.values]
    return Found(
        findings=tuple(map(value_finding, whole.values)),
        figure=value_figure(pairs) if pairs else None,
        refusal=_notes(whole, study),
    )


def _boundary(study: Study) -> Found:
    whole = with_boundaries(study)
    found, refusal = whole.boundaries, _notes(whole, study)
    if not found:
        raise DataError(refusal or "no benchmark has two evaluated checkpoints with several samples a question.")
    return Found(findings=tuple(map(boundary_finding, found)), figure=boundary_figure(found), refusal=refusal)


def _forecast(study: Study) -> Found:
    if study.series(METRIC) is None:
        raise DataError(f"the run has no {METRIC}.")
    found = reward_forecast(study)
    if found is None:
        raise DataError(f"the run has {counted(len(study.steps), 'step')}, wanted at least {SHORTEST}.")
    return Found(findings=(forecast_finding(found),), figure=forecast_figure([(study, found)]))


def _tokens(study: Study) -> Found:
    if study.run.kind != "train":
        raise DataError("only a training has steps that tokens are learned in.")
    found = token_layer(study.run.path, most_steps=MOST_STEPS)
    return Found(findings=(tokens_finding(found),), figure=tokens_figure({study.run.name: found}))


def _weights(study: Study) -> Found:
    found = kept_weights(study)
    return Found(findings=(weights_finding(found),), figure=weights_figure(found))


_VALUES = ("evals/*/*/*/values/*/critic.json", "rollouts/*/values/*/critic.json")
_MARKS = ("evals/*/*/*/marks/*/*/*", "rollouts/*/marks/*/*/*", "behaviours/*.json")
ANALYSES = (
    Analysis(
        name="thoughts", title="Place of the right answer", find=_thoughts, files=("evals/*/*/*/probe.json",),
        asks="How much of a right response comes before its answer, and which wrong ones gave the right answer up?",
        command=_of_run("orz-bench probe {run}"),
    ),
    Analysis(
        name="needs", title="Need of the thought", find=_needs, files=("evals/*/*/*/need/*/summary.json",),
        asks="Does the model need its thought for its answers, and which steps decide them?",
        command=_of_run("orz-bench probe {run} --ckpt MODEL"),
    ),
    Analysis(
        name="contamination", title="Contamination", find=_contamination,
        files=("contamination/*/*/summary.json", "contamination/*/*/against-*.json"),
        asks="Does the model know questions of a benchmark by heart?",
        command=_of_run("orz-bench contamination --ckpt MODEL --bench OLD --fresh FRESH --out {run}"),
    ),
    Analysis(
        name="ages", title="Questions and the model's data", find=_ages, files=("evals/*/*/*/summary.json",),
        asks="Which benchmarks were public before the model's data ended?",
        command=_of_run("orz-bench report {run}"),
    ),
    Analysis(
        name="behaviours", title="Behaviours", find=_behaviours, files=_MARKS,
        asks="How frequent are reflection, guessing, repetition and other behaviours?",
        command=_of_run("orz-analysis detect {run}"),
    ),
    Analysis(
        name="values", title="Values of a critic", find=_values, files=_VALUES,
        asks="Does the critic tell right from wrong responses, and where?",
        is_slow=True, command=_of_run("orz-bench value {run} --critic CRITIC\norz-analysis values {run}"),
    ),
    Analysis(
        name="boundary", title="Boundary", find=_boundary,
        asks="Does training narrow what the model can solve in many samples?",
        is_slow=True, command=_of_checkpoints("orz-analysis boundary", _evaluated),
    ),
    Analysis(
        name="forecast", title="Forecast", find=_forecast,
        asks="Where is the reward heading?",
        is_slow=True, command=_of_run(f"orz-analysis forecast {{run}} --metrics {METRIC}"),
    ),
    Analysis(
        name="tokens", title="Tokens", find=_tokens,
        asks="Which tokens does the training learn from?",
        is_slow=True, command=_of_run(f"orz-analysis tokens {{run}} --most-steps {MOST_STEPS}"),
    ),
    Analysis(
        name="weights", title="Weights", find=_weights,
        asks="Which weights moved, how far, and in how many directions?",
        is_slow=True, command=_of_checkpoints("orz-analysis weights", _kept),
    ),
)  # fmt: skip
