"""The language of a question, by the letters and by the words outside of its formulas.

Formulas have no language, so they are removed before py3langid (langid.py's model, Lui & Baldwin 2012) sees the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orz_bench.extraction.scripts import foreign_letters
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import LanguageSettings
from orz_rl.curation.stages.stage import Decide, RowByRow
from orz_rl.curation.texts import without_figures

_FORMULA = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)|\\begin\{([a-z]+\*?)\}.*?\\end\{\1\}|https?://\S+", re.DOTALL
)
_NO_WORD = re.compile(r"\\[a-zA-Z]+|[^\w\s]|\d|_|\b\w\b")


@dataclass(frozen=True, slots=True)
class Language(RowByRow):
    """The stage."""

    settings: LanguageSettings
    name = "language"

    @contextmanager
    def opened(self) -> Iterator[Decide]:
        """See RowByRow."""
        if self.settings.keep == "any":
            yield lambda rows: Outcome([Fate(row=row) for row in rows])
            return
        classify = _classifier()
        yield lambda rows: Outcome([self._fate(row, classify) for row in rows])

    def _fate(self, row: Row, classify: Callable[[str], str]) -> Fate:
        if letters := foreign_letters(row.question):
            return Fate(row=row, reason="foreign_letters", evidence={"letters": "".join(letters[:20])})
        words = prose(row.question)
        if len(words.split()) < self.settings.min_words:
            return Fate(row=row)
        language = classify(words)
        if language == "en":
            return Fate(row=row)
        return Fate(row=row, reason="not_english", evidence={"language": language})


def prose(text: str) -> str:
    """The words of a text outside of formulas, figures, links and LaTeX commands, of two letters or more."""
    text = _FORMULA.sub(" ", without_figures(text))
    return " ".join(_NO_WORD.sub(" ", text).split())


def _classifier() -> Callable[[str], str]:
    import py3langid

    return lambda text: str(py3langid.classify(text)[0])
