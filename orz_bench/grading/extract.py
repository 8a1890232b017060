"""Where in a response is the answer? Three rules, each linear in the length of the text whatever the text is.

orz    the reference's reward: what `<answer>.*?(\\boxed{.*}).*?</answer>` (DOTALL) captures, its last balanced box
boxed  the last balanced \\boxed{...} anywhere
final  what a reader would take: the last box of the last closed <answer> block, else the text of that block;
       without such a block the last box anywhere
whole  the response itself

Letters of options have rules of their own (choice.py), and so has what is checked against instructions (`stripped`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_THOUGHTS, _END_OF_THOUGHTS = "<think>", "</think>"
_OPEN, _CLOSE, _BOX = "<answer>", "</answer>", "\\boxed{"

# A line break (\\) before a brace does not escape it; \\boxed with a doubled backslash is still a box.
_BRACES = re.compile(r"\\\\(?!boxed)|\\boxed\s*\{|\\[{}]|[{}]")
_BRACES_OF_ORZ = re.compile(r"\\boxed\{|[{}]")


def extract_orz(response: str) -> str | None:
    """The answer by the rule of the reference's reward."""
    captured = orz_capture(response)
    return None if captured is None else _last_box(captured, _BRACES_OF_ORZ)


def extract_boxed(response: str) -> str | None:
    """The content of the last balanced box."""
    return _last_box(response, _BRACES)


def extract_final(response: str) -> str | None:
    """The answer that a reader would take; None where there is none."""
    block = answer_block(response)
    if block is None:
        return extract_boxed(response)
    boxed = extract_boxed(block)
    return boxed if boxed is not None else block


def extract_whole(response: str) -> str | None:
    """The response itself; None for an empty one."""
    return response.strip() or None


EXTRACTORS: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {"orz": extract_orz, "boxed": extract_boxed, "final": extract_final, "whole": extract_whole}
)
LIKELIHOOD = "likelihood"
LETTER_EXTRACTORS = ("mmlu-pro", "answer-is", LIKELIHOOD)
"""Rules for letters of options only: see choice.py."""
ALL_EXTRACTORS = (*EXTRACTORS, *LETTER_EXTRACTORS)


def stripped(response: str) -> str | None:
    """What a reader is to see: no thoughts before the last `</think>`, no answer tags; None where nothing is left.

    Thoughts that began and never ended leave nothing.
    """
    _, closed, text = response.rpartition(_END_OF_THOUGHTS)
    if not closed and _THOUGHTS in text:
        return None
    block = answer_block(text)
    if block is not None:
        return block
    opened = text.rpartition(_OPEN)[2] if _OPEN in text else text
    return opened.removesuffix(_CLOSE).strip() or None


def orz_capture(response: str) -> str | None:
    r"""What group 1 of `<answer>.*?(\\boxed{.*}).*?</answer>` (DOTALL) captures, without backtracking.

    The inner `.*` is greedy, so there is at most one match: from the first box after the first `<answer>` to the last
    `}` before the last `</answer>`.
    """
    block = response.find(_OPEN)
    box = response.find(_BOX, block + len(_OPEN)) if block >= 0 else -1
    if box < 0:
        return None
    first_content = box + len(_BOX)
    brace = response.rfind("}", first_content, max(first_content, response.rfind(_CLOSE)))
    return response[box : brace + 1] if brace >= 0 else None


def answer_block(response: str) -> str | None:
    """The text of the last closed `<answer>` block; None where there is none, or nothing in it."""
    end = response.rfind(_CLOSE)
    start = response.rfind(_OPEN, 0, end) if end >= 0 else -1
    block = response[start + len(_OPEN) : end].strip() if start >= 0 else ""
    return block or None


def box_spans(text: str) -> list[tuple[int, int]]:
    r"""Where the contents of all balanced boxes lie, in the order in which they open; `\{` and `\}` are no braces."""
    return _spans(text, _BRACES)


def _spans(text: str, braces: re.Pattern[str]) -> list[tuple[int, int]]:
    opened: list[tuple[int, bool]] = []
    spans: list[tuple[int, int]] = []
    for token in braces.finditer(text):
        kind = token.group()
        if kind == "}" and opened:
            start, is_box = opened.pop()
            if is_box:
                spans.append((start, token.start()))
        elif kind == "{" or kind.startswith("\\boxed"):
            opened.append((token.end(), kind != "{"))
    return sorted(spans)


def _last_box(text: str, braces: re.Pattern[str]) -> str | None:
    spans = _spans(text, braces)
    return (text[slice(*spans[-1])].strip() or None) if spans else None
