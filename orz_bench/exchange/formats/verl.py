"""verl: dumps of rollouts and validations (`{step}.jsonl`), the metrics of its `file` logger and its console.

A dump's row has input, output, score and step; gts (the gold) since the middle of 2025; further keys are what the
reward function returned. `acc` is its verdict; `score` may be shaped, so it is one only where the file has exactly 0
and 1. The dumps of training and of validation have one shape: the folder's name tells them apart. Samples of one
prompt are not adjacent, because rows are balanced over ranks. Read in 0.9.1 (trainer/ppo/ray_trainer.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, log_of, speaks
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs import values
from orz_bench.exchange.logs.line import Line
from orz_bench.records.foreign import ALIASES

NEEDED = ("input", "output", "score")
"""Fields of every row of a dump."""
_USED = ("input", "output", "gts", "score", "step", "pred", "data_source")
_CHAT = re.compile(r"(?:^|\n)user\n(?P<question>.*)\nassistant\n?(?:<think>\n?)?\Z", re.DOTALL)
_STEP_LINE = re.compile(r"(?:^|\s)step:(\d{1,15}) - (.*)")
_END = "Final validation metrics:"
_VALIDATION = re.compile(r"(?<![a-z])(val|valid|validation|eval|evaluation|test)(?![a-z])", re.IGNORECASE)
_SIDES = ("val-", "val/")


def read(head: Head) -> Contents | None:
    """A dump, the `file` logger's rows, or a console log."""
    if head.container == "lines" and head.has(*NEEDED):
        return _dump(head)
    if head.container == "lines" and head.has("step", "data") and isinstance(head.row["data"], dict):
        log = log_of(head, partial(FileParser, head.path))
        return Contents(what="metrics of verl's file logger", kind="curves", log=log)
    if head.container == "text" and speaks(head, ConsoleParser):
        return Contents(what="a console log of verl", kind="curves", log=log_of(head, ConsoleParser))
    return None


def is_validation(folder: str) -> bool:
    """Whether dumps in a folder of this name are of validation: by a word in it."""
    return _VALIDATION.search(folder) is not None


def _dump(head: Head) -> Contents:
    trains = not is_validation(head.path.parent.name)
    rows = list(head.all_rows())
    judge = judge_of(rows)
    notes = []
    if judge == "score":
        notes.append("every score is 0 or 1, so the score is taken as the verdict")
    elif not judge:
        notes.append("no verdict: the rows have no acc, and scores other than 0 and 1, or only one of them")
    return Contents(
        what=f"a verl {'rollout' if trains else 'validation'} dump of {counted(len(rows), 'sample')}",
        kind="samples",
        samples=partial(_samples, head, judge=judge),
        trains=trains,
        notes=tuple(notes),
    )


def judge_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """The field with the verdict; empty where there is none."""
    rows = list(rows)
    if any(row.get("acc") is not None for row in rows):
        return "acc"
    return "score" if {cells.number_of(row.get("score")) for row in rows} == {0.0, 1.0} else ""


def _samples(head: Head, *, judge: str) -> Iterator[ForeignSample]:
    step_of_name = int(head.path.stem) if head.path.stem.isdecimal() else None
    for number, row in cells.numbered(head.all_rows()):
        yield sample_of(row, number=number, judge=judge, step_of_name=step_of_name)


def sample_of(row: Mapping[str, Any], *, number: int, judge: str, step_of_name: int | None = None) -> ForeignSample:
    """A row of a dump."""
    prompt, step = cells.text_of(row.get("input")), cells.whole_of(row.get("step"))
    verdict = cells.verdict_of(row.get(judge)) if judge else None
    return ForeignSample(
        row=number,
        completion=cells.text_of(row.get("output")),
        problem_id=cells.digest_of(prompt or ""),
        prompt=prompt,
        question=_question(prompt),
        gold=_gold(row.get("gts")),
        extracted=cells.plain(row.get("pred")),
        verdict=verdict,
        judge=f"verl: {judge}" if judge else "",
        reward=cells.number_of(row.get("score")),
        step=step if step is not None else step_of_name,
        benchmark=next((row[name] for name in ALIASES["benchmark"] if isinstance(row.get(name), str)), None),
        extra=cells.rest_of(row, _USED),
    )


def _question(prompt: str | None) -> str | None:
    """The user's turn of a chat whose special tokens were removed; any other prompt as it is."""
    match = _CHAT.search(prompt) if prompt is not None else None
    return match["question"] if match else prompt


def _gold(value: Any) -> str | None:
    """gts is a text, or JSON as text where the data had structure."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return cells.plain(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return cells.plain(value)


def _line(step: int, named: Mapping[str, Any]) -> Line:
    found = values.numbers(named)
    return Line(step, found, is_side=all(name.startswith(_SIDES) for name in found))


@dataclass
class ConsoleParser:
    """Lines `step:12 - name:value - name:value`, behind colours and Ray's prefix."""

    ended: bool = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        if _END in text:
            self.ended = True
        if "step:" not in text:
            return
        if match := _STEP_LINE.search(values.plain(text)):
            self.ended = False
            pairs = (pair.rpartition(":") for pair in match.group(2).split(" - "))
            yield _line(int(match.group(1)), {name.strip(): value for name, _, value in pairs})

    def is_whole(self, text: str) -> bool:
        """See Parser: a number may go on."""
        return False


@dataclass
class FileParser:
    """Rows of the `file` logger: {"step": 12, "data": {name: value}}."""

    path: Path
    ended = False
    _faults: int = field(default=0, init=False)

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        row = values.json_row(text)
        step = values.whole_step(row.get("step")) if row else None
        if row is None or step is None or not isinstance(row.get("data"), dict):
            if text.strip():
                yield f"{self.path}: a line is not a row of verl's file logger; it is left out: {text[:80]!r}"
            return
        yield _line(step, row["data"])

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return text.endswith("}") and values.json_row(text) is not None


FORMAT = Format(name="verl", title="verl", read=read)
