"""The reasoning of a response: its thought, how long that is, and whether it calculates. Pure functions of a text."""

from __future__ import annotations

import re

_TAG = re.compile(r"</?(?:think|answer)>")
_CALCULATION = re.compile(r"[\w)}]\s{0,3}(?:[-+*/×·÷^−]|\\(?:cdot|times|div)\b)\s{0,3}[\w({\\]")


def thought_of(text: str) -> str:
    r"""The text before the first `</think>`, else before the last `<answer>` or `\boxed`, else the whole text."""
    first = text.find("</think>")
    return text[: first if first >= 0 else _start_of_answer(text)]


def _start_of_answer(text: str) -> int:
    starts = [at for mark in ("<answer>", r"\boxed") if (at := text.rfind(mark)) >= 0]
    return min(starts, default=len(text))


def num_reasoning_chars(thought: str) -> int:
    """Number of characters except tags and white space."""
    return len("".join(_TAG.sub("", thought).split()))


def calculates(thought: str) -> bool:
    """Whether a thought, however short, contains a calculation: `3+4=7` does, `x = 7` and `7` don't."""
    return _CALCULATION.search(thought) is not None
