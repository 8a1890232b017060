r"""Where a response concludes something: every value that a sentence ends with, in the thought and behind it.

An extractor takes one answer from what a response says; here all results on the way count, each with the place where
its sentence ends. Which of them is right is for a grader. Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orz_bench.extraction.answers import box_spans

_END = re.compile(r"[.!?;](?=\s|$)|,(?=\s)|\n|\\\]|\$\$|</(?:think|answer)>")
"""Ends of sentences, of steps of a sum, of lines and of displays."""
_LEAD = re.compile(r".*(?:=|\bis\b|\bare\b|\bequals\b|\bbe\b|\bgives\b|\bgot\b|\bguess\b|:|>|####)", re.DOTALL)
_DRESS = " \t*_`\"'$,.;:~"
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2}")
_ITEM = re.compile(r"\s*\(?\d{1,2}\)?\s*")
"""The number of an item of a list, before its full stop."""
_OPENED = re.compile(r"^(?:\\[(\[]|\\(?:quad|,|;|!)|\s)+|(?:\\[)\]]|\\(?:quad|,|;|!)|\s)+$")
_MAX_CHARS = 200
_MAX_BOX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A value that a sentence ends with."""

    answer: str
    end: int
    """Characters of the text up to the end of the sentence."""


def conclusions(text: str) -> Iterator[Conclusion]:
    r"""All of them, by place: the content of each box, and what follows the last `=`, `is`, `:`, ... of a sentence.

    A sentence without any of these is a conclusion as a whole if it has no words and is not the number of an item.
    """
    boxes = [(end, text[start:end]) for start, end in box_spans(text) if end - start <= _MAX_BOX_CHARS]
    at, start, is_new_line = 0, 0, False
    for stop, after in [*((found.start(), found.end()) for found in _END.finditer(text)), (len(text), len(text))]:
        sentence = text[start:stop]
        while at < len(boxes) and boxes[at][0] <= stop:
            yield Conclusion(boxes[at][1].strip(), stop)
            at += 1
        is_item = text[stop:after] == "." and _ITEM.fullmatch(sentence) and (is_new_line or sentence.strip() == "1")
        if not is_item and (answer := _last_part(sentence)) is not None:
            yield Conclusion(answer, stop)
        start, is_new_line = after, text[stop:after] == "\n"


def _last_part(sentence: str) -> str | None:
    found = _LEAD.match(sentence)
    part = sentence[found.end() :] if found else sentence
    if len(part) > _MAX_CHARS or (not found and _WORD.search(part)):
        return None
    bare = _OPENED.sub("", part.strip(_DRESS)).strip(_DRESS)
    return bare or None
