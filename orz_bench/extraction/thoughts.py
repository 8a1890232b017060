"""Separate the thoughts of a response from what it says. Both rules are linear in the length of the text.

To find an answer, everything that could be a thought is removed: a guess made while thinking never counts
(`without_thoughts`). To check a whole response, only what is certainly a thought is removed: a text may mention
`<think>` and `<answer>` (`said`).
"""

from __future__ import annotations

import re
from bisect import bisect

_OPEN, _CLOSE = "<think>", "</think>"
_ANSWER, _END_OF_ANSWER = "<answer>", "</answer>"

_TAG = re.compile(r"([`'\"])</?think>\1|</?think>|</answer>")
_LONE_CLOSE = re.compile(
    r"(?:^|(?<=\n))[ \t]*</think>|(?<=[.!?:)\]}])[ \t]*</think>(?=\s*(?:\n|$|[A-Z*#]))|</think>(?=\s*<answer>)"
)
"""At the start of a line, between two sentences, or directly before the answer."""
_LAST_BLOCK = re.compile(r"(?:^|(?<=\n))[ \t]*<answer>")
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


def without_thoughts(response: str) -> str:
    r"""The response without its thoughts; tags in quotes or backticks are ignored.

    A thought is the text between `<think>` and the next `</think>`. An unmatched `</think>` ends a thought that the
    prompt opened, so everything before it is removed. An unclosed thought extends to the end of the response; but a
    `<think>` after other text, with a complete answer after it, is `</think>` mistyped: models write it when the prompt
    has opened a thought.
    """
    kept: list[str] = []
    start, opened_at, is_answered = 0, -1, False
    for tag in _TAG.finditer(response):
        name = tag.group()
        if name == _END_OF_ANSWER:
            is_answered = True
        elif name == _OPEN and opened_at < 0:
            opened_at, is_answered = tag.start(), False
        elif name == _CLOSE:
            if opened_at < 0:
                kept.clear()
            else:
                kept.append(response[start:opened_at])
            start, opened_at = tag.end(), -1
    is_thought = opened_at >= 0 and (not is_answered or not response[:opened_at].strip())
    kept.append(response[start : opened_at if is_thought else len(response)])
    return "\n".join(kept)


def said(response: str) -> str | None:
    """The response without a thought at its start and without answer tags around the rest; None for nothing.

    A thought at the start opens with `<think>`, or was opened by the prompt: its `</think>` then starts a line, ends a
    sentence, or is directly before `<answer>`, and is outside code. Answer tags start a line and end the response.
    """
    text = response.strip()
    if text.startswith(_OPEN):
        _, closed, text = text.partition(_CLOSE)
        if not closed:
            return None
    return _inside_answer_tags(_after_lone_close(text).strip()).strip() or None


def _inside_answer_tags(text: str) -> str:
    """The text of an answer block that ends the text or was cut off; otherwise the text."""
    opened = _outside_code(text, [found.end() for found in _LAST_BLOCK.finditer(text)])
    if not opened:
        return text
    inner, closed, rest = text[opened[-1] :].partition(_END_OF_ANSWER)
    is_whole = bool(closed) and not rest.replace(_END_OF_ANSWER, "").strip()
    is_cut_off = not closed and opened[-1] == len(_ANSWER)
    return inner if is_whole or is_cut_off else text


def _after_lone_close(text: str) -> str:
    """The text after the last `</think>` that closes a thought opened by the prompt."""
    mentioned = text.find(_OPEN)
    head = text if mentioned < 0 else text[:mentioned]
    ends = _outside_code(head, [found.end() for found in _LONE_CLOSE.finditer(head)])
    return text[ends[-1] :] if ends else text


def _outside_code(text: str, positions: list[int]) -> list[int]:
    """The positions outside fenced code."""
    fences = [found.start() for found in _FENCE.finditer(text)]
    return [position for position in positions if bisect(fences, position) % 2 == 0]
