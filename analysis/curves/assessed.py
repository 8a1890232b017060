"""Add to a study what a critic's values of its responses say, where orz-bench value has computed them."""

from __future__ import annotations

from dataclasses import replace

from analysis.curves.study import Study
from analysis.texts.lexicons import Lexicon
from analysis.values.assessed import assessed_sets, is_assessed
from analysis.values.study import value_study
from orz_bench.errors import OrzError


def with_values(study: Study, lexicon: Lexicon) -> Study:
    """The study with one ValueStudy for each set of responses that has values; unchanged without any.

    Where they cannot be used (of two critics, say), the run has a note instead.
    """
    run = study.run
    if run.kind not in ("train", "eval") or not is_assessed(run.path):
        return study
    try:
        found = tuple(value_study(each, lexicon) for each in assessed_sets(run.path))
    except OrzError as error:
        return replace(study, run=replace(run, notes=(*run.notes, f"values were left out: {error}")))
    return replace(study, values=found)
