"""TRL: completions_*.parquet of its GRPO and RLOO trainers, trainer_state.json, and the console's dictionaries.

Completions have step, prompt, completion, a column for each reward function and, in newer versions, advantage. The
total reward is a weighted sum whose weights are not in the file, so it is known only where there is one function. A
verdict is a column named after accuracy or correctness that has only 0 and 1.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats.format import Contents, Curve, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import (
    ForeignSample,
    asked_in,
    is_messages,
    number_of,
    numbered,
    plain,
    rest_of,
    text_of,
    verdict_of,
    whole_of,
)

_GOLDS = ("solution", "answer", "ground_truth", "gold")
_USED = ("step", "prompt", "completion", "advantage", *_GOLDS)
_JUDGES = re.compile(r"accuracy|correct", re.IGNORECASE)
_BAR = re.compile(r"(\d+)/\d+ \[")
_DICT = re.compile(r"\{'[^{}]*\}")


def read(head: Head) -> Contents | None:
    """Completions, a trainer's state, or a console log."""
    if head.container == "parquet" and head.has("step", "prompt", "completion"):
        return _completions(head)
    if head.container == "object" and isinstance(head.object.get("log_history"), list):
        rows = [row for row in head.object["log_history"] if isinstance(row, dict)]
        every = head.object.get("logging_steps")
        notes = (f"each row is a mean over {every} steps",) if isinstance(every, int) and every > 1 else ()
        what = f"a trainer_state.json with {counted(len(rows), 'row')} of log_history"
        return Contents(what=what, kind="curves", curves=partial(_history, rows), notes=notes)
    if head.container == "text" and any(_logged_in(line) for line in head.lines()):
        return Contents(what="a console log of TRL", kind="curves", curves=partial(_console, head))
    return None


def _completions(head: Head) -> Contents:
    rows = list(head.all_rows())
    rewards = [name for name, value in rows[0].items() if name not in _USED and number_of(value) is not None]
    judges = [name for name in rewards if _JUDGES.search(name) and {row.get(name) for row in rows} <= {0, 1}]
    judge = judges[0] if len(judges) == 1 else None
    notes = []
    if len(rewards) > 1:
        notes.append(f"no total reward: the weights of {', '.join(rewards)} are not in the file")
    if judge is None:
        notes.append("no verdict: no reward column named after accuracy or correctness has only 0 and 1")
    return Contents(
        what=f"a TRL file of {counted(len(rows), 'completion')}",
        kind="samples",
        samples=partial(_samples, rows, rewards=rewards, judge=judge),
        trains=True,
        notes=tuple(notes),
    )


def _samples(rows: list[dict[str, Any]], *, rewards: list[str], judge: str | None) -> Iterator[ForeignSample]:
    for number, row in numbered(rows):
        prompt = row.get("prompt")
        gold = next((name for name in _GOLDS if name in row), None)
        extra = rest_of(row, (*_USED[:4], gold or ""))
        yield ForeignSample(
            row=number,
            completion=text_of(row.get("completion")),
            prompt=prompt if isinstance(prompt, str) else None,
            question=asked_in(prompt) if is_messages(prompt) else text_of(prompt),
            gold=plain(row.get(gold)) if gold else None,
            verdict=verdict_of(row.get(judge)) if judge else None,
            judge=f"TRL: {judge}" if judge else "",
            reward=number_of(row.get(rewards[0])) if len(rewards) == 1 else None,
            advantage=number_of(row.get("advantage")),
            step=whole_of(row.get("step")),
            extra=extra | ({"messages": prompt} if is_messages(prompt) else {}),
        )


def _history(rows: list[dict[str, Any]]) -> Iterator[Curve]:
    """Training and evaluation rows of one step are joined; the summary at the end is left out."""
    for row in rows:
        if "train_runtime" not in row:
            yield {name: value for name, value in row.items() if name != "epoch"}


def _console(head: Head) -> Iterator[Curve]:
    """The printed dictionaries have no step: it is that of the progress bar that is drawn again behind them.

    The bar before them may be some steps old. It counts only where none follows.
    """
    waiting: Mapping[str, float] = {}
    step: int | None = None
    for line in head.lines():
        for match in _BAR.finditer(line):
            step = int(match[1])
            if waiting:
                yield {"step": step, **waiting}
                waiting = {}
        values = _logged_in(line)
        if values and "train_runtime" not in values:
            waiting = {name: value for name, value in values.items() if name != "epoch"}
    if waiting and step is not None:
        yield {"step": step, **waiting}


def _logged_in(line: str) -> Mapping[str, float]:
    """The numbers of a dictionary of losses and rewards in a line; texts are read as numbers where they are."""
    match = _DICT.search(line)
    if match is None or not ("'loss'" in match[0] or "'reward'" in match[0] or "'rewards/" in match[0]):
        return {}
    try:
        found = ast.literal_eval(match[0])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        return {}
    return {name: number for name, value in found.items() if (number := _number(value)) is not None}


def _number(value: Any) -> float | None:
    try:
        return number_of(float(value) if isinstance(value, str) else value)
    except ValueError:
        return None


FORMAT = Format(name="trl", title="TRL", read=read)
