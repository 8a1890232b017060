"""Write a report: index.html, figures as PNG and PDF, every plotted series and every table as CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.boundary.study import BoundaryStudy
from analysis.curves.grouping import group_studies
from analysis.curves.study import Study
from analysis.figures import drawing
from analysis.figures.ablations import Ablation
from analysis.figures.behaviours import behaviours_figure
from analysis.figures.boundary import boundary_figure
from analysis.figures.chosen import chosen_metrics
from analysis.figures.contamination import contamination_figure
from analysis.figures.forecast import forecast_figure
from analysis.figures.needs import needs_figure
from analysis.figures.panels import MissingDataError, NothingToCompareError
from analysis.figures.registry import all_figures, drawn
from analysis.figures.spec import FigureSpec, rows
from analysis.figures.thoughts import thoughts_figure
from analysis.figures.tokens import tokens_figure
from analysis.figures.values import value_figure
from analysis.figures.weights import weights_figure
from analysis.report.ages import ages_table
from analysis.report.behaviours_finding import behaviours_finding, behaviours_table
from analysis.report.boundary_finding import boundary_finding
from analysis.report.contamination_finding import contamination_findings, contamination_table, named
from analysis.report.examples import examples_of
from analysis.report.findings import findings_of
from analysis.report.forecast_finding import forecast_finding, reward_forecast
from analysis.report.page import Page, Picture, RunSection, render
from analysis.report.tables import Table, as_csv, length_table_of, result_table
from analysis.report.thought_finding import need_finding, thought_finding
from analysis.report.tokens_finding import tokens_finding
from analysis.report.value_finding import value_finding
from analysis.report.weights_finding import weights_finding
from orz_bench.errors import ConfigError, DataError, counted
from orz_bench.records.parquet import disk_error
from orz_bench.records.run_dir import write_text

PAGE_NAME = "index.html"
_MOST_DRAWN = 12
"""Panels of curves under names that no figure knows."""
_MOST_NAMED = 8
_TELLING = re.compile(r"reward|score|acc|correct|pass|length|loss|entropy|kl", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of a report, and what it leaves out."""

    page: Path
    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def write_report(studies: Sequence[Study], out: Path, *, metrics: Sequence[str] = ()) -> Written:
    """Write the report of these runs into `out` (created if absent; files of an earlier report are replaced).

    `metrics` are drawn in addition, one panel each. `left_out` names the columns of files that no figure draws, and the
    figures that lack data. RunDirError if the disk refuses, DataError if there is nothing to show.
    """
    groups = group_studies(studies)
    specs, left_out = _figures(studies)
    has_texts = any(study.features is not None or study.run.evaluations for study in studies)
    if not specs and not has_texts and not metrics:
        metrics = _varying(studies)
    if metrics:
        specs.append(chosen_metrics(groups, metrics))
    specs += _of_analyses(studies)
    not_drawn = _not_drawn(studies, specs)
    left_out += not_drawn
    if not specs and not has_texts:
        raise DataError(
            f"{studies[0].run.path}: it has no data for any figure of the report, and no curve that varies; name "
            f"curves with --metrics to draw them all the same."
        )
    results = [result for study in studies for result in study.run.results]
    named_tables = {"results": result_table(groups), "lengths": length_table_of(studies), "ages": ages_table(results)}
    tables = {name: table for name, table in named_tables.items() if table is not None}
    known = {f"{study.run.name}: {name}": one for study in studies for name, one in named(study.contamination).items()}
    tables |= {
        f"contamination-{at}" if at else "contamination": contamination_table(name, one)
        for at, (name, one) in enumerate(known.items())
    }
    behaved = [study for study in studies if study.behaviours]
    tables |= {
        f"behaviours-{at}" if at else "behaviours": behaviours_table(study.behaviours, run=study.run.name)
        for at, study in enumerate(behaved)
    }
    try:
        folder = out / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        files = [path for spec in specs for path in drawing.save(spec, folder)]
    except OSError as error:
        raise disk_error(out, error) from error
    files += [_write_table(table, out / f"{name}.csv") for name, table in tables.items()]
    page = Page(
        title=f"Report: {', '.join(study.run.name for study in studies)}",
        made_from=_made_from(studies),
        runs=tuple(_section(study) for study in studies),
        tables=tuple(tables.values()),
        pictures=tuple(_picture(spec, folder) for spec in specs),
        left_out=tuple(left_out),
    )
    write_text(out / PAGE_NAME, render(page))
    return Written(page=out / PAGE_NAME, files=tuple(files), left_out=tuple(left_out))


def _of_analyses(studies: Sequence[Study]) -> list[FigureSpec]:
    """The figures of single analyses, where the runs have their results."""
    assessed = [(study.run.name, found) for study in studies for found in study.values]
    bounded = [found for study in studies for found in _named(study)]
    ahead = [(study, found) for study in studies if (found := reward_forecast(study)) is not None]
    probed = {f"{study.run.name}: {name}": use for study in studies for name, use in study.thoughts.items()}
    needs = {f"{study.run.name}: {name}": need for study in studies for name, need in study.needs.items()}
    learned = {study.run.name: study.tokens for study in studies if study.tokens is not None}
    known = {f"{study.run.name}: {name}": one for study in studies for name, one in named(study.contamination).items()}
    of_all = (
        value_figure(assessed) if assessed else None,
        boundary_figure(bounded) if bounded else None,
        forecast_figure(ahead),
        thoughts_figure(probed) if probed else None,
        needs_figure(needs) if needs else None,
        contamination_figure(known),
        tokens_figure(learned) if learned else None,
    )
    behaved = [behaviours_figure(study.behaviours, run=study.run.name) for study in studies if study.behaviours]
    moved = [
        replace(spec, title=f"{spec.title} ({study.run.name})")
        for study in studies
        if study.weights is not None and (spec := weights_figure(study.weights)) is not None
    ]
    return [spec for spec in of_all if spec is not None] + _numbered(behaved) + _numbered(moved)


def _numbered(specs: Sequence[FigureSpec]) -> list[FigureSpec]:
    """Figures of single runs under different names."""
    return [replace(spec, name=f"{spec.name}-{at}" if at else spec.name) for at, spec in enumerate(specs)]


def _named(study: Study) -> list[BoundaryStudy]:
    """Its boundaries, with the run's name before each step."""
    name = study.run.name
    return [replace(each, base=f"{name}, {each.base}", run=f"{name}, {each.run}") for each in study.boundaries]


def _figures(studies: Sequence[Study]) -> tuple[list[FigureSpec], list[str]]:
    """The figures that these runs have data for, each once, and a sentence for each that lacks data.

    An ablation is shown if the runs differ in its settings alone, and `comparison` otherwise.
    """
    groups = group_studies(studies)
    specs: list[FigureSpec] = []
    left_out = []
    figures, faults = all_figures()
    left_out += [f"figure {fault}" for fault in faults]
    for figure in figures:
        if isinstance(figure.make, Ablation) and not figure.make.explains(groups):
            continue
        try:
            spec = drawn(figure, groups)
        except NothingToCompareError:
            continue
        except MissingDataError as error:
            if not isinstance(figure.make, Ablation):
                left_out.append(f"{figure.name}: {error}")
            continue
        except ConfigError as error:
            if not figure.package:
                raise
            left_out.append(str(error))
            continue
        if not any(rows(spec).equals(rows(other)) for other in specs):
            specs.append(spec)
    return specs, left_out


def _not_drawn(studies: Sequence[Study], specs: Sequence[FigureSpec]) -> list[str]:
    """A sentence for each run with numeric columns that no figure draws, with the option that draws them."""
    drawn = {name for spec in specs for panel in spec.panels for name in panel.metrics}
    sentences = []
    for study in studies:
        names = [str(name) for name in study.run.metrics.columns if name != "step" and name not in drawn]
        if study.run.kind in ("file", "folder") and names:
            more = f", ... ({len(names) - _MOST_NAMED:,} more)" if len(names) > _MOST_NAMED else ""
            named = names[:_MOST_NAMED]
            option = f"--metrics {','.join(named)}"
            sentences.append(f"{study.run.name}: no figure shows {', '.join(named)}{more}; draw them with {option}")
    return sentences


def _varying(studies: Sequence[Study]) -> list[str]:
    """Columns with several values, rewards, scores and losses first: what a report of unknown curves shows."""
    names = {
        str(name): None
        for study in studies
        for name in study.steps.columns
        if name != "step" and study.steps[name].nunique() > 1
    }
    return sorted(names, key=lambda name: _TELLING.search(name) is None)[:_MOST_DRAWN]


def _write_table(table: Table, path: Path) -> Path:
    write_text(path, as_csv(table))
    return path


def _picture(spec: FigureSpec, folder: Path) -> Picture:
    png = (folder / f"{spec.name}.png").read_bytes()
    width = drawing.shown_width(png)
    return Picture(name=spec.name, title=spec.title, caption=spec.caption, png=png, width_px=width)


def _section(study: Study) -> RunSection:
    return RunSection(
        name=study.run.name,
        about=_about(study),
        findings=(
            *findings_of(study),
            *([forecast_finding(ahead)] if (ahead := reward_forecast(study)) is not None else []),
            *map(boundary_finding, study.boundaries),
            *(thought_finding(name, use) for name, use in study.thoughts.items()),
            *(need_finding(name, need) for name, need in study.needs.items()),
            *map(value_finding, study.values),
            *([behaviours_finding(study.behaviours)] if study.behaviours else []),
            *([tokens_finding(study.tokens)] if study.tokens is not None else []),
            *([weights_finding(study.weights)] if study.weights is not None else []),
            *contamination_findings(study.contamination),
        ),
        examples=tuple(examples_of(study)),
    )


def _about(study: Study) -> str:
    run = study.run
    steps = counted(len(study.steps), "step") if len(study.steps) else ""
    states = {"done": "finished", "failed": "stopped before its end", "open": "not finished", "unknown": ""}
    kinds = {"train": "training run", "eval": "evaluation", "dump": "dump of Open-Reasoner-Zero"}
    kinds |= {"folder": "folder of another tool", "file": "file"}
    seed = f"seed {run.seed}" if run.seed is not None else ""
    responses = (
        f"{counted(len(study.features), 'response')} read" if study.features is not None else "no responses read"
    )
    parts = (f"{run.name}: {kinds[run.kind]}", run.origin.told, states[run.state], seed, steps, responses)
    return ", ".join(part for part in parts if part) + "."


def _made_from(studies: Sequence[Study]) -> str:
    lexicons = ", ".join(dict.fromkeys(study.lexicon for study in studies if study.lexicon))
    measured = f" Reflections were counted with the lexicon {lexicons}." if lexicons else ""
    return (
        f"Made by orz-analysis from {counted(len(studies), 'run')}. All plotted numbers are in figures/*.csv.{measured}"
    )
