"""Add to a study what its first and its last evaluated checkpoint can solve in several samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from analysis.boundary.answers import Answered, read_answers
from analysis.boundary.study import BoundaryStudy, Names, boundary_study
from analysis.curves.learning import ends_of
from analysis.curves.study import Study
from analysis.reading.run import Evaluation
from orz_bench.errors import counted
from orz_bench.records.run_dir import RunDir


def with_boundaries(study: Study) -> Study:
    """The study with one BoundaryStudy for each benchmark with several samples a question at two steps.

    An evaluation that has lost samples is left out, and noted.
    """
    run = study.run
    if run.kind not in ("train", "eval"):
        return study
    boundaries: list[BoundaryStudy] = []
    notes: list[str] = []
    for pair in ends_of(run.evaluations):
        if not _has_several(*pair):
            continue
        sides = [_Side(each, _answered(RunDir(run.path), each)) for each in pair]
        notes += [side.told_lost for side in sides if side.num_lost]
        if not any(side.num_lost for side in sides) and sides[0].answered.keys() & sides[1].answered.keys():
            boundaries.append(_boundary(*sides))
    return replace(study, boundaries=tuple(boundaries), run=replace(run, notes=(*run.notes, *notes)))


@dataclass(frozen=True, slots=True)
class _Side:
    """An evaluation and its samples by question."""

    of: Evaluation
    answered: Mapping[str, Answered]

    @property
    def num_lost(self) -> int:
        """Samples that the summary counts and no part holds."""
        held = sum(each.num for each in self.answered.values())
        return max(self.of.result.summary.num_samples - held, 0) if self.of.result is not None else 0

    @property
    def told_lost(self) -> str:
        """In words."""
        at = f"{self.of.benchmark}, step {self.of.step}"
        return (
            f"no boundary of {at}: {counted(self.num_lost, 'sample', verb=('is', 'are'))} missing or in damaged parts"
        )


def _has_several(*pair: Evaluation) -> bool:
    return all(each.result is not None and each.result.summary.n > 1 for each in pair)


def _answered(run: RunDir, of: Evaluation) -> Mapping[str, Answered]:
    return read_answers(run.evaluation(benchmark=of.benchmark, step=of.step, fingerprint=of.fingerprint))


def _boundary(first: _Side, last: _Side) -> BoundaryStudy:
    names = Names(benchmark=first.of.benchmark, base=f"step {first.of.step}", run=f"step {last.of.step}")
    return boundary_study(first.answered, last.answered, names=names)
