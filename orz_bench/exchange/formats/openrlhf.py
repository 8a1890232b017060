"""OpenRLHF: the trainer's log. Its metrics are also in TensorBoard's event files; it writes no rollouts.

The log has `Global step 12: {...}` (trainer/ppo_trainer.py), and evaluations as `Eval at step 12: {...}` or
`Evaluation completed in ..., global_step 12, eval_metrics: {...}`. It has no mark at its end. Read in 0.11.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orz_bench.exchange.formats.format import Contents, Format, log_of, speaks
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.logs.line import Line
from orz_bench.exchange.logs.values import numbers, plain, python_dict

_TRAIN = re.compile(r"Global step (\d{1,15}): (\{.*\})")
_EVAL = re.compile(r"(?:Eval at step (\d{1,15}):|global_step (\d{1,15}), eval_metrics:) (\{.*\})")


def read(head: Head) -> Contents | None:
    """A console log."""
    if head.container != "text" or not speaks(head, ConsoleParser):
        return None
    return Contents(what="a console log of OpenRLHF", kind="curves", log=log_of(head, ConsoleParser))


@dataclass
class ConsoleParser:
    """Lines of the trainer's log."""

    ended = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        if "lobal step " not in text and "step " not in text:
            return
        text = plain(text)
        if match := _TRAIN.search(text):
            yield from _line(match.group(1), match.group(2), prefix="train")
        elif match := _EVAL.search(text):
            yield from _line(match.group(1) or match.group(2), match.group(3), prefix="eval")

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return text.endswith("}") and (_TRAIN.search(text) or _EVAL.search(text)) is not None


def _line(step: str, text: str, *, prefix: str) -> Iterator[Line]:
    values = python_dict(text)
    if values is not None:
        named = {f"{prefix}/{name}": value for name, value in numbers(values).items()}
        yield Line(int(step), named, is_side=prefix == "eval")


FORMAT = Format(name="openrlhf", title="OpenRLHF", read=read)
