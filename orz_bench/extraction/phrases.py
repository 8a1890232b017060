"""Answers that a response announces in words, and the last number: for models that were not taught to use a box.

phrase               what follows the last announcement: "the answer is" (Wei et al. 2022; Qwen2.5-Math's evaluation),
                     "final answer is ... I hope it is correct" (Minerva, 2206.14858, appendix D), "Answer:", "####"
                     (GSM8K, 2110.14168), up to the end of its sentence
phrase-multilingual  the same also in Chinese, Japanese, French, Spanish, German, Portuguese, Italian and Russian
last-number          the last number, as lm-eval's flexible-extract for GSM8K finds it

Thoughts are ignored. Each rule takes time linear in the length of the text.
"""

from __future__ import annotations

import re

from orz_bench.extraction.answers import last_box
from orz_bench.extraction.thoughts import without_thoughts

_MAX_CHARS = 1000
"""Read after an announcement; a longer answer is none."""
_WORDS = (
    r"####"
    r"|(?<![A-Za-z])(?:final |correct )?answers?(?:\s+to\s+(?:the|this)\s+(?:question|problem))?"
    r"[*_\"']{0,3}\s*(?:\bis\b|\bare\b|\bwould be\b|\bmust be\b|:|=)"
)
_OTHER_WORDS = (
    r"|(?:最终|最後の|正确|所以|故)?(?:答案|答え|答)\s*(?:是|为|為|は|[:\uff1a=])"
    r"|(?<![^\W\d_])(?:réponse(?:\s+finale)?\s*(?:est\b|:)|respuesta(?:\s+final)?\s*(?:es\b|:)"
    r"|antwort\s*(?:ist\b|lautet\b|:)|resposta(?:\s+final)?\s*(?:é\b|:)|risposta(?:\s+finale)?\s*(?:è\b|:)"
    r"|ответ\s*(?:[:\u2014\u2013-]|равен\b))"
)
_CUE = re.compile(_WORDS, re.IGNORECASE)
_CUE_OF_ANY_LANGUAGE = re.compile(_WORDS + _OTHER_WORDS, re.IGNORECASE)
_LEAD = re.compile(r"[\s:\uff1a=*_`\"'\u201c]*(?:(?:therefore|thus|simply|just)\s+)?[\s*_`\"'\u201c]*")
_MATHS = re.compile(
    r"\$\$(?P<display>(?:\\.|[^$\\])+)\$\$|\$(?P<inline>(?:\\[^\n]|[^$\\\n])+)\$"
    r"|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]",
    re.DOTALL,
)
_END = re.compile(
    r"\n|[.!?\u3002\uff01](?=\s|$|[*_`\"'<])|[;\uff1b]|</?[a-z]|\s+I hope\b|\s+(?:because|since|as required)\b"
    r"|,\s+(?:so|because|since|which|where)\b",
    re.IGNORECASE,
)
_ENDLESS = re.compile(r"-?\d*\.\d*?(\d+?)\1+(?:\.{3}|\u2026|\\l?dots)")
"""A decimal number whose last digits repeat, and go on: its dots end no sentence."""
_MARKS = " \t*_`\"'\u201c\u201d,.:;\u3002"
_NUMBER = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")
"""lm-eval 0.4, tasks/gsm8k: `(-?[$0-9.,]{2,})|(-?[0-9]+)`, the last match."""


def extract_phrase(response: str) -> str | None:
    """The answer after the last announcement in English that has one."""
    return _announced(without_thoughts(response), _CUE)


def extract_phrase_multilingual(response: str) -> str | None:
    """The answer after the last announcement, in any of the languages, that has one."""
    return _announced(without_thoughts(response), _CUE_OF_ANY_LANGUAGE)


def extract_last_number(response: str) -> str | None:
    """The last number without thousands separators, dollar signs and a full stop behind it.

    Matches of lm-eval's pattern without a digit (an ellipsis) are passed over.
    """
    last = None
    for found in _NUMBER.finditer(without_thoughts(response)):
        if any(char.isdigit() for char in found.group()):
            last = found.group()
    return None if last is None else last.replace(",", "").replace("$", "").rstrip(".") or None


def _announced(text: str, cue: re.Pattern[str]) -> str | None:
    for found in reversed(list(cue.finditer(text))):
        if (answer := _following(text[found.end() : found.end() + _MAX_CHARS])) is not None:
            return answer
    return None


def _following(text: str) -> str | None:
    """The answer at the start of a text: the content of a box, of dollar signs, or the rest of the sentence."""
    text = text[_LEAD.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing at least
    sentence = text[: end.start()] if (end := _END.search(text)) else text
    if "\\boxed" in sentence and (boxed := last_box(sentence)) is not None:
        return boxed
    if maths := _MATHS.match(text):
        inside = next(part for part in maths.groups() if part is not None).strip()
        return last_box(inside) or inside.rstrip(".") or None
    if endless := _ENDLESS.match(text):
        return endless.group()
    return sentence.strip(_MARKS) or None
