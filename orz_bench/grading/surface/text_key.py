"""The text of an answer without what typesetting adds: equal keys mean the same answer, written the same way."""

from __future__ import annotations

import re

from orz_bench.grading.surface.markup import canonical

_LOOSE_SPACE = re.compile(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])")
_WORDS = re.compile(r"\\text\s*\{([^{}]*)\}")


def plain_latex(text: str) -> str:
    r"""The text as LaTeX without what stands around it: $x$, \(x\). and x give x; Unicode, 1e5 and sqrt(2) too."""
    return canonical(text)


def text_key(text: str) -> str:
    r"""Equal for texts that differ only in markup, spacing, sizes (\left, \dfrac), colours and fonts."""
    return _LOOSE_SPACE.sub("", canonical(text))


def words_key(text: str) -> str:
    r"""A still coarser key for answers that are words: case and \text{} don't count."""
    return _WORDS.sub(r"\1", text_key(text)).casefold()
