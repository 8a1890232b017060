"""The data of the page Report: the analysis report of runs as one text, and rows for export."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.curves.build import build_study
from analysis.curves.study import Study
from analysis.curves.whole import with_everything
from analysis.reading.load import load_path
from analysis.texts.lexicons import get_lexicon


def report_page(runs: Sequence[tuple[str, Path]], *, lexicon: str) -> str:
    """index.html of the report of these runs (name, path), self-contained. Takes seconds to minutes.

    RunDirError or DataError for a run that cannot be read, ConfigError for an unknown lexicon.
    """
    from analysis.report.build import PAGE_NAME, write_report  # imports matplotlib

    counted_with = get_lexicon(lexicon)
    loaded = [replace(load_path(path)[0], name=name) for name, path in runs]
    studies = [with_everything(build_study(run, lexicon=counted_with), counted_with) for run in loaded]
    with tempfile.TemporaryDirectory(prefix="orz-report-") as folder:
        write_report(studies, Path(folder))
        return (Path(folder) / PAGE_NAME).read_text(encoding="utf-8")


def metric_rows(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per run and step, with all metrics that any of the runs has."""
    names = list(dict.fromkeys(str(name) for one in studies for name in one.steps.columns if name != "step"))
    for one in studies:
        for record in one.steps.to_dict("records"):
            yield {"run": _title(one), "step": record["step"]} | {name: record.get(name) for name in names}


def _title(study: Study) -> str:
    """The run's name, with the control of its rewards."""
    return study.run.name + study.run.origin.suffix


def score_rows(studies: Sequence[Study]) -> Iterator[dict[str, Any]]:
    """One row per finished evaluation, with all statistics of its summary."""
    for one in studies:
        for result in one.run.results:
            head = {
                "run": _title(one),
                "benchmark": result.benchmark,
                "step": result.step,
                "fingerprint": result.fingerprint,
                "model": result.model,
            }
            yield head | result.summary.to_json()
