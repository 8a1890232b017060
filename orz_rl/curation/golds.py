"""Whether two golds are the same answer, by the grader that rewards the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from orz_bench.grading.grader import Grader, Submission


class GoldComparison:
    """Compares golds; a context manager, because the grader owns processes. Keeps its verdicts."""

    def __init__(self) -> None:
        self._grader = Grader(extractor="whole")
        self._known: dict[tuple[str, str], bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grader.close()

    def equal(self, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
        """For each pair (gold, other gold): whether the other one, as an answer, is correct."""
        wanted = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        self._known |= {(gold, other): True for gold, other in wanted if gold == other}
        open_ = [pair for pair in wanted if pair not in self._known]
        submissions = [Submission(gold=gold, kind="math", num_choices=0, response=other) for gold, other in open_]
        grades = self._grader.grade(submissions) if submissions else []
        self._known |= {pair: each.is_correct for pair, each in zip(open_, grades, strict=True)}
        return {pair: self._known[pair] for pair in pairs}
