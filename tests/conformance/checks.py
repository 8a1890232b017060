"""The conformance checks as rows (kind, gold, answer, right or wrong), and what the grader says otherwise.

`python -m tests.conformance` runs all of them in full; the suite runs a sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.rollout import AnswerKind, Grade
from tests.conformance.constant_answers import constant_answers
from tests.conformance.dresses import changed, dresses
from tests.conformance.hedges import hedges

_HERE = Path(__file__).parent
_CORPUS = _HERE.parent / "corpora" / "answers.txt"
_KINDS: dict[str, tuple[AnswerKind, int]] = {
    "math500": ("math", 0),
    "gpqa_diamond": ("choice", 4),
    "mmlu_pro": ("choice", 10),
    "ifeval": ("instruction", 0),
}
BENCHMARKS = ("math500", "minerva", "olympiadbench", "aime24", "aime25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question to the grader."""

    row_id: str
    kind: str
    gold: str
    answer: str
    is_right: bool
    is_certain: bool = True
    benchmark: str = "math500"


def made_up_golds() -> list[str]:
    """Golds that need no data."""
    lines = (_HERE / "golds.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def real_golds(folder: Path) -> dict[str, list[str]]:
    """The different golds of each benchmark of mathematics."""
    return {
        name: sorted({problem.gold for problem in load_problems(get_benchmark(name), folders=[folder]).problems})
        for name in BENCHMARKS
    }


def corpus_rows() -> list[Row]:
    """tests/corpora/answers.txt."""
    rows, kind = [], ""
    for number, line in enumerate(_CORPUS.read_text(encoding="utf-8").splitlines(), start=1):
        if " | " not in line:
            kind = line.strip("[]") if line.startswith("[") else kind
        elif not line.startswith("# "):
            gold, answer, verdict = line.split(" | ")
            rows.append(Row(row_id=f"line {number}", kind=kind, gold=gold, answer=answer, is_right=verdict == "right"))
    return rows


def case_rows(folder: Path) -> list[Row]:
    """The labelled cases from public threads about graders."""
    lines = (folder / "conformance" / "public_cases.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return [
        Row(
            row_id=case["id"],
            kind=case["kind"],
            gold=case["gold"],
            answer=case["response"],
            is_right=case["right"] == "correct",
            is_certain=case["certain"],
            benchmark=case["benchmark"],
        )
        for case in map(json.loads, lines)
    ]


def dress_rows(golds: Iterable[str], *, source: str) -> list[Row]:
    """Each gold in other typesettings, and with one element changed."""
    rows = []
    for gold in golds:
        dressed = [(f"{source}: dressed", answer, True) for answer in dresses(gold)]
        altered = [(f"{source}: changed", answer, False) for answer in changed(gold)]
        rows += [
            Row(row_id=gold, kind=kind, gold=gold, answer=answer, is_right=is_right)
            for kind, answer, is_right in dressed + altered
        ]
    return rows


def hedge_rows(golds: Iterable[str], *, source: str) -> list[Row]:
    """Each gold among words that make it another answer."""
    return [
        Row(row_id=gold, kind=f"{source}: hedged", gold=gold, answer=answer, is_right=False)
        for gold in golds
        for answer in hedges(gold)
    ]


def failures(rows: Sequence[Row], grader: Grader) -> list[tuple[Row, Grade]]:
    """The rows on which the grader and the label differ."""
    found = grader.grade([_submission(row) for row in rows])
    return [(row, grade) for row, grade in zip(rows, found, strict=True) if grade.is_correct != row.is_right]


def constants_of_two_golds(golds: Sequence[str], grader: Grader) -> dict[str, list[str]]:
    """The constant answers that are right for two golds neither of which is right for the other."""
    rows = [
        Row(row_id=answer, kind="constant", gold=gold, answer=answer, is_right=False)
        for gold in golds
        for answer in constant_answers()
    ]
    matched: dict[str, list[str]] = {}
    for row, _ in failures(rows, grader):
        matched.setdefault(row.answer, []).append(row.gold)
    several = {answer: found for answer, found in matched.items() if len(found) > 1}
    pairs = sorted({(one, other) for found in several.values() for one in found for other in found if one != other})
    questions = [Row(row_id="", kind="golds", gold=one, answer=other, is_right=True) for one, other in pairs]
    differ = {frozenset((row.gold, row.answer)) for row, _ in failures(questions, grader)} if questions else set()
    return {
        answer: found
        for answer, found in several.items()
        if any(frozenset((one, other)) in differ for one in found for other in found)
    }


def _submission(row: Row) -> Submission:
    kind, num_choices = _KINDS[row.benchmark]
    return Submission(gold=row.gold, kind=kind, num_choices=num_choices, response=row.answer)
