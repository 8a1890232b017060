"""verl: dumps of rollouts and validations (`{step}.jsonl`), and the metrics of its `file` logger and its console.

A dump's row has input, output, score and step; gts (the gold) since the middle of 2025; further keys are what the
reward function returned. `acc` is its verdict; `score` may be shaped, so it is one only where the file has exactly 0
and 1. The dumps of training and of validation have one shape: the folder's name tells them apart. Samples of one
prompt are not adjacent, because rows are balanced over ranks.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats.format import Contents, Curve, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import (
    ForeignSample,
    digest_of,
    number_of,
    numbered,
    plain,
    rest_of,
    text_of,
    verdict_of,
    whole_of,
)

_USED = ("input", "output", "gts", "score", "step", "acc", "pred", "data_source")
_CHAT = re.compile(r"(?:^|\n)user\n(?P<question>.*)\nassistant\n?(?:<think>\n?)?\Z", re.DOTALL)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEP_LINE = re.compile(r"(?:^|\s)step:(\d+) - (.+)")
_NUMPY = re.compile(r"\Anp\.\w+\((.*)\)\Z")


def read(head: Head) -> Contents | None:
    """A dump, the `file` logger's rows, or a console log."""
    if head.container == "lines" and head.has("input", "output", "score"):
        return _dump(head)
    if head.container == "lines" and head.has("step", "data") and isinstance(head.row["data"], dict):
        return Contents(what="metrics of verl's file logger", kind="curves", curves=partial(_logged, head))
    if head.container == "text" and any(_STEP_LINE.search(_ANSI.sub("", line)) for line in head.lines()):
        return Contents(what="a console log of verl", kind="curves", curves=partial(_console, head))
    return None


def _dump(head: Head) -> Contents:
    folder = head.path.parent.name.lower()
    trains = "val" not in folder
    rows = list(head.all_rows())
    has_acc = any("acc" in row for row in rows)
    scores = {row.get("score") for row in rows}
    score_judges = not has_acc and scores == {0, 1}
    notes = []
    if score_judges:
        notes.append("every score is 0 or 1, so the score is taken as the verdict")
    elif not has_acc:
        notes.append("no verdict: the rows have no acc, and scores other than 0 and 1, or only one of them")
    what = f"a verl {'rollout' if trains else 'validation'} dump of {counted(len(rows), 'sample')}"
    samples = partial(_samples, head, judge="acc" if has_acc else "score" if score_judges else "")
    return Contents(what=what, kind="samples", samples=samples, trains=trains, notes=tuple(notes))


def _samples(head: Head, *, judge: str) -> Iterator[ForeignSample]:
    step_of_name = int(head.path.stem) if head.path.stem.isdecimal() else None
    for number, row in numbered(head.all_rows()):
        prompt = text_of(row.get("input"))
        step = whole_of(row.get("step"))
        yield ForeignSample(
            row=number,
            completion=text_of(row.get("output")),
            problem_id=digest_of(prompt or ""),
            prompt=prompt,
            question=_question(prompt),
            gold=_gold(row.get("gts")),
            extracted=plain(row.get("pred")),
            verdict=verdict_of(row.get(judge)) if judge else None,
            judge=f"verl: {judge}" if judge else "",
            reward=number_of(row.get("score")),
            step=step if step is not None else step_of_name,
            benchmark=plain(row.get("data_source")),
            extra=rest_of(row, _USED),
        )


def _question(prompt: str | None) -> str | None:
    """The user's turn of a chat whose special tokens were removed; any other prompt as it is."""
    match = _CHAT.search(prompt) if prompt is not None else None
    return match["question"] if match else prompt


def _gold(value: Any) -> str | None:
    """gts is a text, or JSON as text where the data had structure."""
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        try:
            return plain(json.loads(value))
        except ValueError:
            return value
    return plain(value)


def _logged(head: Head) -> Iterator[Curve]:
    for row in head.all_rows():
        if isinstance(row.get("data"), dict):
            yield {"step": row.get("step"), **row["data"]}


def _console(head: Head) -> Iterator[Curve]:
    for line in head.lines():
        if (match := _STEP_LINE.search(_ANSI.sub("", line))) is None:
            continue
        values = (part.rpartition(":") for part in match[2].split(" - "))
        yield {"step": int(match[1])} | {
            name.strip(): number for name, _, text in values if (number := _number(text)) is not None
        }


def _number(text: str) -> float | None:
    text = _NUMPY.sub(r"\1", text.strip())
    try:
        return number_of(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return None


FORMAT = Format(name="verl", title="verl", read=read)
