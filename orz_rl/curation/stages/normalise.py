"""One spelling for what looks the same: Unicode, spaces, LaTeX that only moves things, and the frame around a gold.

A question keeps its meaning and its formulas; what was changed is noted in the row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from orz_bench.benchmarks.rows import after_hashes
from orz_bench.extraction.answers import last_box
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import NormaliseSettings
from orz_rl.curation.stages.stage import Decide, RowByRow
from orz_rl.curation.texts import LINK

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]"
)
_SPACES = re.compile("[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_ENDS = re.compile("\r\n?|\u2028|\u2029|\x0c|\x85")
_TRAILING = re.compile(r"[ ]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")
_MOVES = re.compile(r"(\\\\)|\\[,;:>]|\\!|\\ (?=\s)")
"""A line break of LaTeX, which stays, or a command that moves what follows."""
_THOUSANDS = re.compile(r"(?<=\d)\\[,;:](?=\d{3}(?!\d))")
"""A space between the digits of one number."""
_DOLLARS = re.compile(r"\$\$(.+)\$\$|\$((?:\\.|[^$\\])+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)
_DELIMITERS = re.compile(r"(?<!\\)\$|\\[()\[\]]")
"""Not an escaped dollar sign."""


@dataclass(frozen=True, slots=True)
class Normalise(RowByRow):
    """The stage."""

    settings: NormaliseSettings
    name = "normalise"

    @contextmanager
    def opened(self) -> Iterator[Decide]:
        """See RowByRow."""
        yield self._decide

    def _decide(self, rows: Sequence[Row]) -> Outcome:
        return Outcome([Fate(row=normalised(row, self.settings)) for row in rows])


def normalised(row: Row, settings: NormaliseSettings) -> Row:
    """The row in one spelling."""
    question, answer = row.question, row.answer
    changes = []
    if settings.unicode:
        question, answer = plain_unicode(question), plain_unicode(answer)
        changes += ["unicode"] if (question, answer) != (row.question, row.answer) else []
    if settings.latex_spacing:
        before = question, answer
        question, answer = without_spacing(question), without_spacing(answer)
        changes += ["latex spacing"] if (question, answer) != before else []
    if settings.answers:
        before_answer, answer = answer, bare_answer(answer)
        changes += ["answer"] if answer != before_answer else []
    return replace(row, question=question, answer=answer, changes=(*row.changes, *changes)) if changes else row


def plain_unicode(text: str) -> str:
    """NFC, without invisible and control characters, with ordinary spaces and line ends, at most one blank line."""
    if not text.isascii() or not text.isprintable():
        text = _LINE_ENDS.sub("\n", text)
        text = _SPACES.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
        text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text))
    return text.strip()


def without_spacing(text: str) -> str:
    """Without `\\,`, `\\;`, `\\:` and `\\!`, which only move what follows; links of Markdown become their text.

    Digits that belong to one number stay together: `10\\,000` becomes 10000.
    """
    if "](" in text:
        text = LINK.sub(r"\1", text)
    if "\\" not in text:
        return text
    return _MOVES.sub(_moved, _THOUSANDS.sub("", text)).strip()


def bare_answer(text: str) -> str:
    """A gold without the frame around it: what stands before `####`, one box, dollar signs."""
    text = after_hashes(text)
    if text.count("\\boxed") + text.count("\\fbox") == 1 and (boxed := last_box(text)):
        text = boxed.strip()
    match = _DOLLARS.fullmatch(text.strip())
    inner = next((each for each in match.groups() if each), "").strip() if match else ""
    return inner if inner and not _DELIMITERS.search(inner) else text.strip()


def _moved(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return "" if match[0] == "\\!" else " "
