"""Add to a study what its first and its last evaluated checkpoint can solve in several samples."""

from __future__ import annotations

from dataclasses import replace

from analysis.boundary.answers import read_answers
from analysis.boundary.study import BoundaryStudy, Names, boundary_study
from analysis.curves.learning import ends_of
from analysis.curves.study import Study
from analysis.reading.run import Evaluation
from orz_bench.records.run_dir import RunDir


def with_boundaries(study: Study) -> Study:
    """The study with one BoundaryStudy for each benchmark with several samples a question at two steps."""
    run = study.run
    if run.kind not in ("train", "eval"):
        return study
    found = [
        _boundary(RunDir(run.path), first, last=last)
        for first, last in ends_of(run.evaluations)
        if _has_several(first, last)
    ]
    return replace(study, boundaries=tuple(each for each in found if each is not None))


def _has_several(*pair: Evaluation) -> bool:
    return all(each.result is not None and each.result.summary.n > 1 for each in pair)


def _boundary(run: RunDir, first: Evaluation, *, last: Evaluation) -> BoundaryStudy | None:
    sides = [
        read_answers(run.evaluation(benchmark=each.benchmark, step=each.step, fingerprint=each.fingerprint))
        for each in (first, last)
    ]
    if not sides[0].keys() & sides[1].keys():
        return None
    return boundary_study(
        *sides, names=Names(benchmark=first.benchmark, base=f"step {first.step}", run=f"step {last.step}")
    )
