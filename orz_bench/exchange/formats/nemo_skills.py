"""NeMo-Skills: output.jsonl (greedy) and output-rs{seed}.jsonl of eval-results/{benchmark}/, and metrics.json.

Row i of every file of one folder is the same question, so the number of the row is its id where the row has none, and
the seed is the index of the sample. Published files often lack the texts and the questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, Score
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.records.rollout import Verdict

_NAME = re.compile(r"(?:(?P<set>.+?)[_-])?output(?:-rs(?P<seed>\d+))?\Z")
_JUDGES = ("symbolic_correct", "is_correct", "judge_correct")
_TEXTS = ("generation", "output")
_USED = ("id", "problem", "question", "expected_answer", "predicted_answer", "num_generated_tokens", *_TEXTS, *_JUDGES)


def read(head: Head) -> Contents | None:
    """Outputs, or their metrics."""
    if head.container == "object" and head.object and all(_is_metrics(value) for value in head.object.values()):
        return _metrics(head)
    if head.container != "lines" or "predicted_answer" not in head.row:
        return None
    if not any(name in head.row for name in (*_JUDGES, "judgement", "generation")):
        return None
    rows = list(head.all_rows())
    match = _NAME.fullmatch(head.path.stem)
    benchmark = (match["set"] or head.path.parent.name) if match else None
    has_text = any(name in row for row in rows for name in _TEXTS)
    return Contents(
        what=f"{counted(len(rows), 'output')} of NeMo-Skills" + ("" if has_text else ", without texts"),
        kind="samples",
        samples=partial(_samples, rows, benchmark=benchmark, seed=match["seed"] if match else None),
        notes=() if has_text else ("the file has no texts: only extracted answers and verdicts can be shown",),
    )


def _samples(rows: list[dict[str, Any]], *, benchmark: str | None, seed: str | None) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        judge = next((name for name in _JUDGES if row.get(name) is not None), None)
        text = next((name for name in _TEXTS if name in row), None)
        yield ForeignSample(
            row=number,
            completion=cells.plain(row[text]) if text else None,
            has_text=text is not None,
            problem_id=cells.plain(row.get("id")) or f"row-{number}",
            sample_index=int(seed) if seed is not None else None,
            benchmark=benchmark,
            question=cells.plain(row.get("problem", row.get("question"))),
            gold=cells.plain(row.get("expected_answer")),
            extracted=cells.plain(row.get("predicted_answer")),
            verdict=_verdict(row, judge),
            judge=f"NeMo-Skills: {judge}" if judge else "",
            num_tokens=cells.whole_of(row.get("num_generated_tokens")),
            extra=cells.rest_of(row, _USED),
        )


def _verdict(row: dict[str, Any], judge: str | None) -> Verdict | None:
    found = cells.verdict_of(row.get(judge)) if judge else None
    return "no_answer" if found == "wrong" and row.get("predicted_answer") is None else found


def _is_metrics(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all("@" in name for name in value)


def _metrics(head: Head) -> Contents:
    scores = [
        Score(
            benchmark=name, metric=f"{how} {metric}", value=number / 100, num=cells.whole_of(values.get("num_entries"))
        )
        for name, found in head.object.items()
        for how, values in found.items()
        for metric in ("symbolic_correct", "judge_correct", "passing_base_tests")
        if (number := cells.number_of(values.get(metric))) is not None
    ]
    return Contents(
        what=f"NeMo-Skills metrics of {counted(len(head.object), 'benchmark')}",
        kind="scores",
        scores=tuple(scores),
        instead="output*.jsonl under eval-results/",
    )


FORMAT = Format(name="nemo-skills", title="NeMo-Skills", read=read)
