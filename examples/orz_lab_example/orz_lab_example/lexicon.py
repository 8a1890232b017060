"""A lexicon: words of doubt instead of words of reflection."""

from __future__ import annotations

from analysis.texts.lexicons import Lexicon

LEXICON = Lexicon(
    name="doubt",
    version=1,
    source="an example",
    patterns={"however": "however", "not sure": r"not\s+sure", "maybe": "maybe", "recheck": "recheck"},
    is_word_bounded=True,
)
