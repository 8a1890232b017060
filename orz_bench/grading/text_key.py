"""The text of an answer without what typesetting adds: equal keys mean the same answer, written the same way."""

from __future__ import annotations

import re

_UNICODE = {
    "\u2212": "-",
    "\u2013": "-",
    "\u00d7": "\\times ",
    "\u00b7": "\\cdot ",
    "\u22c5": "\\cdot ",
    "\u00f7": "\\div ",
    "\u03c0": "\\pi ",
    "\u221e": "\\infty ",
    "\u2264": "\\leq ",
    "\u2265": "\\geq ",
    "\u2260": "\\neq ",
    "\u222a": "\\cup ",
    "\u00b0": "^\\circ ",
    "\u2026": "\\ldots ",
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
}
_TRANSLATION = str.maketrans(_UNICODE)
_ROOT = re.compile("\u221a\\s*(\\d+|[A-Za-z]|\\([^()]*\\))")
_DOTS = re.compile(r"\\[cd]?dots[bcmio]?(?![a-zA-Z])")
_BARE_EXPONENT = re.compile(r"\^ *- *([0-9]+|[A-Za-z])")
_SCIENTIFIC = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)[eE]([+-]?[0-9]{1,3})")
_ASCII = (
    (re.compile(r"(?<![A-Za-z])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"(?<![A-Za-z])inf(?:inity|ty)?(?![A-Za-z])", re.IGNORECASE), r"\\infty "),
    (re.compile(r"(?<![A-Za-z])sqrt\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<=[\])}]) *U *(?=[\[({])"), r" \\cup "),
)
"""What people write in a text without LaTeX."""
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))

_SIZES = re.compile(r"\\(?:left|right|big|Big|bigl|bigr|Bigl|Bigr|displaystyle)(?![a-zA-Z])")
_SPACES = re.compile(r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\s+")
_FRACTIONS = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_FONTS = re.compile(r"\\(?:textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox)\s*\{")
_LOOSE_SPACE = re.compile(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])")
_WORDS = re.compile(r"\\text\s*\{([^{}]*)\}")


def plain_latex(text: str) -> str:
    r"""The text as LaTeX without what stands around it: $x$, \(x\). and x give x; Unicode, 1e5 and sqrt(2) too."""
    text = _DOTS.sub(r"\\ldots", _ROOT.sub(r"\\sqrt{\1}", text).translate(_TRANSLATION)).strip()
    if text.endswith(".") and not text.endswith(("..", "\\right.")) and len(text) > 1:
        text = text[:-1].rstrip()
    if text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1].rstrip()  # what strip() left of a final "\\ "
    for opening, closing in _DELIMITERS:
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inner and opening not in inner and inner[-1] != "\\":
            text = inner.strip()
            break
    if "\\" not in text:
        for pattern, latex in _ASCII:
            text = pattern.sub(latex, text)
    text = _BARE_EXPONENT.sub(r"^{-\1}", text)
    number = _SCIENTIFIC.fullmatch(text)
    return f"{number[1]} \\times 10^{{{number[2]}}}" if number else text


def text_key(text: str) -> str:
    r"""Equal for texts that differ only in spacing, sizes (\left, \dfrac) and fonts."""
    text = _FONTS.sub(r"\\text{", _FRACTIONS.sub(r"\\frac", _SIZES.sub("", plain_latex(text))))
    return _LOOSE_SPACE.sub("", _SPACES.sub(" ", text).strip())


def words_key(text: str) -> str:
    r"""A still coarser key for answers that are words: case and \text{} don't count."""
    return _WORDS.sub(r"\1", text_key(text)).casefold()
