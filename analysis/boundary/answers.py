"""The stored samples of one evaluation, question by question, as the study of the boundary needs them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orz_bench.records.run_dir import EvaluationDir
from orz_bench.results.statistics import answer_key

_COLUMNS = ("problem_id", "verdict", "extracted", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The samples of one model to one question."""

    num: int
    num_right: int
    answers: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many samples gave each answer, as text without spaces; those without an answer are left out."""
    right: frozenset[str] = frozenset()
    """The answers that were graded right, and the gold."""

    @property
    def knows_answers(self) -> bool:
        """Whether a right sample's answer is known."""
        return not self.num_right or bool(self.right & self.answers.keys())


def read_answers(directory: EvaluationDir) -> dict[str, Answered]:
    """By problem id."""
    table = directory.read(list(_COLUMNS))
    groups: dict[str, list[tuple[str | None, str | None, str | None]]] = defaultdict(list)
    columns = (table[name].to_pylist() for name in _COLUMNS)
    for problem_id, verdict, extracted, gold in zip(*columns, strict=True):
        groups[problem_id].append((verdict, extracted, gold))
    return {problem_id: _answered(rows) for problem_id, rows in groups.items()}


def _answered(rows: list[tuple[str | None, str | None, str | None]]) -> Answered:
    right = {answer_key(extracted) for verdict, extracted, _ in rows if verdict == "correct" and extracted}
    return Answered(
        num=len(rows),
        num_right=sum(verdict == "correct" for verdict, _, _ in rows),
        answers=Counter(answer_key(extracted) for _, extracted, _ in rows if extracted),
        right=frozenset(right | {answer_key(gold) for _, _, gold in rows if gold}),
    )
