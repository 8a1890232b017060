r"""Answers as text: the one form in which golds and answers are compared, capped, memoised and sent to Math-Verify."""

from __future__ import annotations

import re

MAX_CHARACTERS = 4096
MAX_NESTING = 64
MAX_DIGIT_RUN = 256
MAX_LIMIT_DIGITS = 7
"""Digits of an integer that a factorial is taken of, or that bounds a sum: more would only end in a time-out."""

_SPACES = re.compile(r"\s+")
_DOLLAR = re.compile(r"(?<!\\)\$")
_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGIT_RUN + 1},}}")
_DISPLAY = (("\\(", "\\)"), ("\\[", "\\]"))
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|operatorname|mbox)\s*\{([^{}]*)\}")
_NOT_WORD = re.compile(r"[\s{}$\\]+")


def normalise(text: str) -> str:
    r"""Without surrounding dollars, brackets `\( \)` and a final full stop, white space collapsed. Idempotent."""
    if len(text) > 2 * MAX_CHARACTERS:
        return text
    text = _SPACES.sub(" ", _DOLLAR.sub("", text)).strip()
    for opening, closing in _DISPLAY:
        if text.startswith(opening) and text.endswith(closing):
            return normalise(text[len(opening) : -len(closing)])
    if text.endswith(".") and not text.endswith(".."):
        return normalise(text[:-1])
    return text


def fault_of(text: str) -> str | None:
    """Why this answer is too large to be parsed safely, or None. Caps as in inspect_ai."""
    if len(text) > MAX_CHARACTERS:
        return f"{len(text):,} characters, at most {MAX_CHARACTERS:,} are parsed"
    depth = _nesting(text)
    if depth > MAX_NESTING:
        return f"nested {depth} deep, at most {MAX_NESTING} is parsed"
    if _LONG_NUMBER.search(text):
        return f"a number of more than {MAX_DIGIT_RUN} digits"
    return None


def plain_words(text: str) -> str:
    r"""The words of a text answer: `\text{Evelyn }` and `evelyn` are the same."""
    return _NOT_WORD.sub(" ", _TEXT.sub(r"\1", text)).strip().casefold()


def _nesting(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "{([":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "})]" and depth:
            depth -= 1
    return deepest
