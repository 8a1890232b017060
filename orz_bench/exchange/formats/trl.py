"""TRL: completions_*.parquet of its GRPO and RLOO trainers, trainer_state.json, and the console's dictionaries.

W&B has the completions as tables (`completions_*.table.json`).
Completions have step, prompt, completion, a column for each reward function and, in newer versions, advantage. The
total reward is a weighted sum whose weights are not in the file, so it is known only where there is one function. A
verdict is a column named after accuracy or correctness that has only 0 and 1. trainer_state.json holds exact values, up
to the last checkpoint; the console has every logged step, with four digits, and its step is that of the progress bar
behind it, for the one before may be some steps old. Read in 1.16 (trainer/grpo_trainer.py, log).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, LogFile, log_of, speaks
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs.line import Line
from orz_bench.exchange.logs.values import numbers, python_dict, whole_step
from orz_bench.exchange.logs.values import plain as without_colours

GOLDS = ("gold", "solution", "answer", "ground_truth", "golden_answer")
_USED = ("step", "prompt", "completion", "advantage")
_JUDGES = re.compile(r"accura|correct", re.IGNORECASE)
_BAR = re.compile(r"\s*\d+%\|[^|]*\|\s*(\d{1,15})/\d+ \[")
_DICT = re.compile(r"\{'[^{}]*\}")
_LOGGED = ("loss", "reward", "epoch")
_NOT_METRICS = ("step", "epoch", "total_flos")
CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})")
EVALUATION = "eval_"


def read(head: Head) -> Contents | None:
    """Completions, a trainer's state, or a console log."""
    is_table = head.container == "parquet" or head.is_columnar
    if is_table and {"step", "prompt", "completion"} <= head.row.keys():
        return _completions(head)
    if head.container == "object" and isinstance(head.object.get("log_history"), list):
        rows = [row for row in head.object["log_history"] if isinstance(row, dict)]
        every = head.object.get("logging_steps")
        notes = (f"each row is a mean over {every} steps",) if isinstance(every, int) and every > 1 else ()
        what = f"a trainer_state.json with {counted(len(rows), 'row')} of log_history"
        return Contents(what=what, kind="curves", log=_state(head.path, rows), notes=notes)
    if head.container == "text" and speaks(head, ConsoleParser):
        return Contents(what="a console log of TRL", kind="curves", log=log_of(head, ConsoleParser, is_rounded=True))
    return None


def training_folder(state: Path) -> Path:
    """The folder of a training by one of its trainer_state.json: each checkpoint has its own."""
    return state.parent.parent if CHECKPOINT.fullmatch(state.parent.name) else state.parent


def _state(path: Path, history: list[dict[str, Any]]) -> LogFile:
    return LogFile(lines=lambda: iter(history_lines(history)), key=training_folder(path), kind="state")


def history_lines(history: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The rows of log_history that have a step. The summary at the end is left out."""
    found = [(entry, whole_step(entry.get("step"))) for entry in history if not is_summary(entry)]
    return [_line(entry, step) for entry, step in found if step is not None]


def is_summary(entry: Mapping[str, Any]) -> bool:
    """Whether it is what the trainer says at its end."""
    return "train_runtime" in entry


def _line(entry: Mapping[str, Any], step: int) -> Line:
    values = {name: value for name, value in numbers(entry).items() if name not in _NOT_METRICS}
    return Line(step, values, is_side=any(name.startswith(EVALUATION) for name in values))


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a file of completions are."""

    rewards: tuple[str, ...]
    """Those of reward functions, which are fractions."""
    judge: str
    """The only one of them that is a verdict; empty where there is none."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Columns:
        """Of all rows of a file."""
        names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, float))
        rewards = tuple(name for name in names if name not in (*_USED, *GOLDS))
        judges = [
            name
            for name in rewards
            if _JUDGES.search(name) and {cells.number_of(row.get(name)) for row in rows} - {None} <= {0.0, 1.0}
        ]
        return cls(rewards, judges[0] if len(judges) == 1 else "")


def _completions(head: Head) -> Contents:
    rows = list(head.all_rows())
    columns = Columns.of(rows)
    notes = []
    if len(columns.rewards) > 1:
        notes.append(f"no total reward: the weights of {', '.join(columns.rewards)} are not in the file")
    if not columns.judge:
        notes.append("no verdict: no reward column named after accuracy or correctness has only 0 and 1")
    return Contents(
        what=f"a TRL file of {counted(len(rows), 'completion')}",
        kind="samples",
        samples=partial(_samples, rows, columns),
        trains=True,
        notes=tuple(notes),
    )


def _samples(rows: list[dict[str, Any]], columns: Columns) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(rows):
        yield sample_of(row, columns, number=number)


def sample_of(row: Mapping[str, Any], columns: Columns, *, number: int) -> ForeignSample:
    """A row of a file of completions."""
    prompt = row.get("prompt")
    gold = next((name for name in GOLDS if row.get(name) is not None), None)
    extra = cells.rest_of(row, (*_USED, gold or ""))
    return ForeignSample(
        row=number,
        completion=cells.text_of(row.get("completion")),
        prompt=cells.conversation_of(prompt),
        question=cells.asked_in(prompt) if cells.is_messages(prompt) else cells.text_of(prompt),
        gold=cells.plain(row.get(gold)) if gold else None,
        verdict=cells.verdict_of(row.get(columns.judge)) if columns.judge else None,
        judge=f"TRL: {columns.judge}" if columns.judge else "",
        reward=cells.number_of(row.get(columns.rewards[0])) if len(columns.rewards) == 1 else None,
        advantage=cells.number_of(row.get("advantage")),
        step=cells.whole_of(row.get("step")),
        extra=extra | ({"messages": prompt} if cells.is_messages(prompt) else {}),
    )


@dataclass
class ConsoleParser:
    """Dictionaries as Python prints them. The progress bar is drawn again behind each: that one has its step."""

    ended: bool = False
    _waiting: list[dict[str, Any]] = field(default_factory=list, init=False)

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        text = without_colours(text)
        if match := _BAR.match(text):
            yield from (_line(entry, int(match.group(1))) for entry in self._waiting)
            self._waiting.clear()
            text = text[match.end() :]
        if "{'" in text and (found := _DICT.search(text)) and (entry := python_dict(found[0])) is not None:
            yield from self._take(entry)

    def _take(self, entry: dict[str, Any]) -> Iterator[str]:
        self.ended = is_summary(entry)
        if self.ended or not any(name in entry for name in _LOGGED):
            return
        if self._waiting:
            yield "metrics without a progress bar behind them, which would tell their step, are left out"
        self._waiting = [entry]

    def is_whole(self, text: str) -> bool:
        """See Parser: a progress bar has no end until the next is drawn."""
        return text.endswith("]") and _BAR.match(text) is not None


FORMAT = Format(name="trl", title="TRL", read=read)
