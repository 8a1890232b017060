"""Add to a study the behaviours that `orz-analysis detect` has marked in its rollouts."""

from __future__ import annotations

from dataclasses import replace

from analysis.behaviours.behaviour import BEHAVIOURS
from analysis.behaviours.marking import stored_marks
from analysis.behaviours.study import behaviour_study
from analysis.behaviours.tags import stored_agreement
from analysis.curves.study import Study
from orz_bench.errors import OrzError
from orz_bench.records.run_dir import RunDir
from orz_bench.records.tagged import read_judged


def with_behaviours(study: Study) -> Study:
    """The study with the stored behaviours; where marks cannot be read, the run has a note instead."""
    run = study.run
    if run.kind not in ("train", "eval"):
        return study
    try:
        found, judged = stored_marks(RunDir(run.path)), read_judged(RunDir(run.path))
    except OrzError as error:
        return replace(study, run=replace(run, notes=(*run.notes, f"marks of behaviours were left out: {error}")))
    whats = {name: BEHAVIOURS.load(name).what for name in found if name in BEHAVIOURS.built_in}
    studies = (
        behaviour_study(
            name,
            marks,
            what=whats.get(name, ""),
            agreement=stored_agreement(judged[name], marks) if name in judged else None,
        )
        for name, marks in found.items()
    )
    return replace(study, behaviours=tuple(each for each in studies if each.sets))
