"""Find the answer in a response. Each rule takes time linear in the length of the text, for any text.

orz    the reference's reward: what `<answer>.*?(\\boxed{.*}).*?</answer>` (DOTALL) captures, its last balanced box
boxed  the last balanced box outside of thoughts
final  the answer a reader would take: the last box of the last closed <answer> block, otherwise the text of that
       block; without such a block, the last box; thoughts are ignored
whole  the response itself

A box is \\boxed{...}; \\boxed before a bare number, letter or fraction; if there is none of these, \\fbox{...}.
Answers announced in words and the last number: phrases.py. Letters of options have their own rules (letters.py), as do
responses checked against instructions (thoughts.py). All rules by name: rules.py.
"""

from __future__ import annotations

import re

from orz_bench.extraction.thoughts import without_thoughts

_OPEN, _CLOSE, _BOX = "<answer>", "</answer>", "\\boxed{"

# A line break (\\) before a brace does not escape it; \\boxed with a doubled backslash is still a box.
_BRACES = re.compile(r"\\\\(?!boxed|fbox)|\\(?:boxed|fbox)\s*\{|\\[{}]|[{}]")
_BRACES_OF_ORZ = re.compile(r"\\boxed\{|[{}]")
_BARE_BOX = re.compile(
    r"\\boxed\s*([-+\u2212]?(?:\d+(?:[.,/]\d+)*|\\[dt]?frac\s*(?:\d\d|\{[^{}]*\}\s*\{[^{}]*\}))"
    r"|\\(?:text|mathrm)[a-z]*\s*\{[^{}]*\}|\(?[A-Za-z]\)?(?! ?[A-Za-z({]))"
)
"""TeX would box one character only; the number is meant."""


_JOINED = re.compile(
    r"\}?[\s$)\\\]]*(?:,\s*)?(?:(?:\\text\s*\{\s*)?(?P<word>or|and)(?:\s*\})?|[,/&])[\s$(\[\\]*\\(?:boxed|fbox)\s*\{?"
)
"""Text between two boxes that form one answer."""
_MAX_BETWEEN = 60


def extract_orz(response: str) -> str | None:
    """The answer by the rule of the reference's reward."""
    captured = orz_capture(response)
    return None if captured is None else _last_box_of_orz(captured)


def extract_boxed(response: str) -> str | None:
    """The content of the last balanced box outside of thoughts."""
    return last_box(without_thoughts(response))


def extract_final(response: str) -> str | None:
    """The answer that a reader would take, or None."""
    text = without_thoughts(response)
    block = answer_block(text)
    if block is None:
        return last_box(text)
    boxed = last_box(block)
    return boxed if boxed is not None else block


def extract_whole(response: str) -> str | None:
    """The response itself; None for an empty one."""
    return response.strip() or None


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


def answer_block(text: str) -> str | None:
    """The text of the last closed `<answer>` block, from its last opening tag to the first closing tag after it.

    None if there is no such block, or it is empty.
    """
    opened = text.rfind(_OPEN, 0, max(0, text.rfind(_CLOSE)))
    start = opened + len(_OPEN)
    return (text[start : text.find(_CLOSE, start)].strip() or None) if opened >= 0 else None


def last_box(text: str) -> str | None:
    r"""The content of the last balanced box that is not empty, or None.

    Boxes directly before it are included if a connective joins them: "\boxed{1} or \boxed{2}" is "1 or 2", not 2.
    """
    spans = [span for span in box_spans(text) if not text[slice(*span)].isspace() and span[0] < span[1]]
    contents = [text[slice(*spans[-1])].strip()] if spans else []
    for (start, end), (next_start, _) in zip(reversed(spans[:-1]), reversed(spans[1:]), strict=True):
        between = text[end:next_start] if 0 <= next_start - end <= _MAX_BETWEEN else ""
        if not (joined := _JOINED.fullmatch(between)):
            break
        contents += [f" {joined['word']} " if joined["word"] else ", ", text[start:end].strip()]
    return "".join(reversed(contents)).strip() or None


def box_spans(text: str) -> list[tuple[int, int]]:
    r"""Spans of the contents of all balanced boxes, in the order of opening; `\{` and `\}` do not count as braces."""
    spans = _spans(text, _BRACES, box="\\boxed")
    bare = [found.span(1) for found in _BARE_BOX.finditer(text)]
    return sorted(spans + bare) or _spans(text, _BRACES, box="\\fbox")


def _spans(text: str, braces: re.Pattern[str], *, box: str) -> list[tuple[int, int]]:
    opened: list[tuple[int, bool]] = []
    spans: list[tuple[int, int]] = []
    for token in braces.finditer(text):
        kind = token.group()
        if kind == "}" and opened:
            start, is_box = opened.pop()
            if is_box:
                spans.append((start, token.start()))
        elif kind[-1] == "{" and kind != "\\{":
            opened.append((token.end(), kind.startswith(box)))
    return sorted(spans)


def _last_box_of_orz(text: str) -> str | None:
    spans = _spans(text, _BRACES_OF_ORZ, box="\\boxed")
    return (text[slice(*spans[-1])].strip() or None) if spans else None
