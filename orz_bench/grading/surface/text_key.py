"""Keys of answers without typesetting: equal keys mean the same answer in the same notation."""

from __future__ import annotations

import re

from orz_bench.grading.surface.markup import canonical

_LOOSE_SPACE = re.compile(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])")
_WORDS = re.compile(r"\\text\s*\{([^{}]*)\}")


def plain_latex(text: str) -> str:
    r"""The text as LaTeX without delimiters and markup: $x$, \(x\). and x give x; Unicode, 1e5 and sqrt(2) too."""
    return canonical(text)


def text_key(text: str) -> str:
    r"""A key equal for texts that differ only in markup, spacing, sizes (\left, \dfrac), colours and fonts."""
    return _LOOSE_SPACE.sub("", canonical(text))


def words_key(text: str) -> str:
    r"""A coarser key for answers that are words: it ignores case and \text{}."""
    return _WORDS.sub(r"\1", text_key(text)).casefold()
