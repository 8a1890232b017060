r"""Read what a short text states about the options of a question: which one is chosen, rejected, or left open.

    statement := lead* letter tail          lead: "I think", "it is", "option", "the correct answer is", ...

The letter is separate: either *marked* ((C), [C], C., C), C:, \text{C}, "option C"), and any text of its option may
follow, or *bare*, followed only by punctuation, a reason, or an assertion that it is right. So an article ("a
reduction"), a formula (C6H12O6), a word (B-cells) and a quantity (C = 5) are not statements. "C or D" leaves the choice
open, "not C" rejects.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

How = Literal["answer", "announced", "alone"]
"""answer: a whole answer, such as a box, so "C = 5" is an option and its text. announced: the text after "answer:".
alone: a response without either, which must begin with the letter."""

MAX_CHARS = 2_000
"""A longer text is not a statement; only so much is read after "the answer is"."""

_GAP = "\u2003"
"""A wide space, which separates what follows it."""
_HELD_GAP = "\ue000"
"""Its placeholder during Unicode normalisation, which would make it an ordinary space."""
_WIDE_SPACES = re.compile(r"\\(?:[ ,;:]|q?quad(?![A-Za-z]))|\u2003|\t")
_FONT = (
    r"\\(?:text|math|bold|oper|display|script|mbox|bm|bf|rm|it|sf|tt|large|Large|huge|boxed|fbox|left|right)"
    r"[a-z]*(?![A-Za-z])"
)
_ALONE_IN_FONT = re.compile(rf"{_FONT}\s*\{{\s*\(?\s*([A-Za-z])\s*\)?\s*\}}(?![\w^'+={{\\-]|\s*[=+])")
_COMMANDS = re.compile(
    rf"\\(?:(?:text)?color|[hv]?phantom|[hv]space)\*?\s*\{{[^{{}}]*\}}|{_FONT}|\\(?:emph|underline)(?![A-Za-z])|\\[()\[\]!]|[{{}}$]|<[^<>\s]{{0,20}}>"
)
_EMPHASIS = re.compile(
    r"(?<!\w)(?:(?P<mark>\*{1,3}|_{1,3}|`{1,3}|[\"'])(?P<one>(?=\S)[^*_`\n\"']{1,300}(?<=\S))(?P=mark)"
    r"|\u201c(?P<two>[^\n\u201d]{1,300})\u201d|\u2018(?P<three>[^\n\u2019]{1,300})\u2019)"
)

_LEAD = re.compile(
    r"(?:i(?: would| will|'d|'ll| am going to)? (?:think|believe|say|choose|pick|select|go with|conclude)"
    r"|so|thus|therefore|hence|clearly|definitely|indeed|probably|most likely"
    r"|(?:it|this|that)(?: is|'s| must be| should be| has to be)"
    r"|(?:the |my )?(?:(?:only|most|correct|right|best|likely|final|appropriate|suitable|accurate) )*"
    r"(?:answer|option|choice|letter)(?: is| would be| must be| should be)?|is|the|that)(?:\s*[:,\u2003]\s*|\s+)(?=\S)",
    re.IGNORECASE,
)
_MAX_LEADS = 6
_NAMES_AN_OPTION = re.compile(r"\b(?:option|choice|letter)\W*$", re.IGNORECASE)
_REJECTING = re.compile(
    r"(?:not|neither|never|isn't|except|anything but|all but)\s+(?:the )?(?:option |choice )?", re.IGNORECASE
)
_INSTEAD = re.compile(r"\s*,?\s*but\s+(?:rather\s+|instead\s+)?", re.IGNORECASE)
_LETTER = re.compile(
    r"[(\[]+\s*(?P<bracket>[A-Za-z])\s*[)\]]+[.:]?"
    r"|(?P<listed>[A-Za-z])(?:[)\]][.:]?|[.:](?![A-Za-z]))"
    r"|(?P<bare>[A-Za-z])(?![A-Za-z0-9_^])"
)

_HEDGE = r"(?:maybe |perhaps |possibly |also |option |either )?"
_ANOTHER = re.compile(
    rf"[ \t,.;:(]*(?:[/&+,]|and/or\b|or\b|and\b|vs\b\.?|versus\b)[ \t,]*{_HEDGE}[(\[]?[ ]*([A-Z])[ ]*"
    r"(?:[)\]]|(?![\w^'\u2019])\s*(?:$|[.,;:!?/&+)\]]|(?:or|and|but|is|are)\b|[-\u2013\u2014]\s))",
    re.IGNORECASE,
)
"""A second option directly after the letter, joined by a connective."""
_NEXT = re.compile(r"[^\S\n]*[-,;:\u2013\u2014]*[^\S\n]*[(\[]?([A-Z])[)\]]?(?:\s*$|[.,;)\]](?:\s|$))")
"""A second option directly after the letter, in a list."""
_LATER = (
    re.compile(r"(?:\b(?:or|and)\b|[,;/&])\s*(?:option )?(?:[(\[]([A-Z])[)\]](?!\w)|([A-Z])[):.]\s+\S)"),
    re.compile(r"(?<!\b[A-Z]\s)\bor\s+([A-Z])[.!?\s]*$|\bno,?\s+([A-Z])[.!?\s]*$", re.IGNORECASE),
)
"""After the text of the first option: a second marked letter, or one at the very end."""
_ABOUT_OPTIONS = re.compile(r"\s*(?:both|all|either|neither|none|only|any|statements?|options?)\b", re.IGNORECASE)
_IS_WRONG = re.compile(
    r"\s*(?:(?:is|was|are|seems|looks|would be|can|could|does|do)\s+(?:(?:also|clearly|definitely|certainly)\s+)?"
    r"(?:not|never|wrong|incorrect|false|untrue|impossible|excluded|eliminated|ruled out)\b"
    r"|(?:is|was|can|does)n['\u2019]t\b|cannot be (?:right|correct|the answer|true)\b)",
    re.IGNORECASE,
)
_WRONG = re.compile(r"\s+(?:not|wrong|incorrect|cannot|never)\b", re.IGNORECASE)
_IS_RIGHT = re.compile(
    r"\s+(?:is|must be|seems|looks)\s+(?:(?:clearly|definitely|indeed|therefore|thus|also|probably|most likely)\s+)?"
    r"(?:the\s+|my\s+)?(?:only\s+|most\s+)?(?:correct|right|best|true|answer|one|appropriate|accurate|likely)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"\s+(?:because|since|given|by|based on|due to|which|i\.e)\b", re.IGNORECASE)
_END = re.compile(r"[^\S\n]*(?:$|\n|[.!]+(?:\s|$))")
_APART = re.compile(rf"\s*[,;:](?:\s|$)|\s+[-\u2013\u2014]+\s|\s*\u2014|\s+\(|\s*{_GAP}")
_EQUALS = re.compile(r"\s*=\s*\S(?!.*[,;]\s*[A-Z]\s*=)", re.DOTALL)
"""An option and its value; not the first of several names (A = ..., B = ...)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a text states. If it leaves several options open, it has no letter."""

    kind: Literal["chosen", "rejected", "open"]
    letter: str = ""


def plain(text: str) -> str:
    r"""The text without typesetting: full-width forms, fonts, emphasis, dollar signs; \text{C} alone becomes (C)."""
    text = unicodedata.normalize("NFKC", _WIDE_SPACES.sub(_HELD_GAP, text)).replace(_HELD_GAP, _GAP)
    text = _COMMANDS.sub("", _ALONE_IN_FONT.sub(r"(\1)", text))
    for _ in range(2):  # they may be nested
        text = _EMPHASIS.sub(lambda found: found["one"] or found["two"] or found["three"], text)
    return text.strip()


def state(text: str, *, num_choices: int, how: How) -> Statement | None:
    """The statement at the start of a plain text, or None."""
    text = text[:MAX_CHARS].strip()
    is_named = False
    for _ in range(_MAX_LEADS):
        lead = _LEAD.match(text)
        if lead is None or (how == "alone" and not _NAMES_AN_OPTION.search(lead.group())):
            break
        is_named = _NAMES_AN_OPTION.search(lead.group()) is not None
        text = text[lead.end() :]
    rejecting = _REJECTING.match(text)
    text = text[rejecting.end() :] if rejecting else text
    found = _LETTER.match(text)
    letter = found["bracket"] or found["listed"] or found["bare"] if found else ""
    if not found or not _is_option(letter, num_choices):
        return None
    if rejecting and (instead := _INSTEAD.match(text, found.end())):
        return state(text[instead.end() :], num_choices=num_choices, how=how)
    if rejecting:
        return Statement("rejected", letter.upper())
    written = _Written(letter, is_marked=is_named or found["bare"] is None, num_choices=num_choices)
    return _with_tail(written, text[found.end() :], how=how)


def outcome(statements: Iterable[Statement]) -> str | None:
    """The result of statements in order: the last choice that was neither withdrawn nor left open later."""
    chosen: str | None = None
    for statement in statements:
        if statement.kind == "chosen":
            chosen = statement.letter
        elif statement.kind == "open" or statement.letter == chosen:
            chosen = None
    return chosen


@dataclass(frozen=True, slots=True)
class _Written:
    letter: str
    is_marked: bool
    num_choices: int

    def differs(self, *others: str | None) -> bool:
        """Whether one of these is a different letter in the same case; after a marked letter, a different option."""
        found = [one for one in others if one and (not self.is_marked or _is_option(one, self.num_choices))]
        return any(other != self.letter and other.isupper() == self.letter.isupper() for other in found)


def _with_tail(written: _Written, tail: str, *, how: How) -> Statement | None:
    letter, is_marked = written.letter.upper(), written.is_marked
    is_apart = is_marked or _APART.match(tail) is not None
    if _IS_WRONG.match(tail) or (not is_marked and _WRONG.match(tail)):
        return Statement("rejected", letter)
    if _leaves_open(written, tail, is_apart=is_apart):
        return Statement("open")
    if tail.lstrip().startswith("?"):
        return None
    endings = [_END, _IS_RIGHT]
    if letter == written.letter:
        endings += [_REASON, _EQUALS] if how == "answer" else [_REASON]
    stands = is_apart or any(ending.match(tail) for ending in endings)
    return Statement("chosen", letter) if stands else None


def _leaves_open(written: _Written, tail: str, *, is_apart: bool) -> bool:
    sentence = tail.partition("\n")[0]
    named = [found for found in (_ANOTHER.match(tail), _NEXT.match(tail) if is_apart else None) if found]
    if not _ABOUT_OPTIONS.match(tail):
        named += [found for pattern in _LATER for found in pattern.finditer(sentence)]
    return any(written.differs(*found.groups()) for found in named)


def _is_option(letter: str, num_choices: int) -> bool:
    return ord(letter.upper()) - ord("A") < num_choices
