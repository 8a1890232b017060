"""Add to a study what `orz-bench contamination` stored in its run."""

from __future__ import annotations

from dataclasses import replace

from analysis.curves.study import Study
from orz_bench.errors import OrzError
from orz_bench.records.contamination import read_contamination


def with_contamination(study: Study) -> Study:
    """The study with the stored results; where one cannot be read, the run has a note instead."""
    run = study.run
    if run.kind not in ("train", "eval"):
        return study
    try:
        return replace(study, contamination=tuple(read_contamination(run.path)))
    except OrzError as error:
        notes = (*run.notes, f"results of orz-bench contamination were left out: {error}")
        return replace(study, run=replace(run, notes=notes))
