"""Convert an answer's text to a sympy expression with Math-Verify's LaTeX reader. Runs in worker processes only."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from latex2sympy2_extended import convert_to_pct, normalize_latex
from math_verify import parse
from math_verify.parser import LatexExtractionConfig
from sympy import Basic, MatrixBase

from orz_bench.grading.math.latex import parse_latex
from orz_bench.grading.surface.text_key import plain_latex

Value: TypeAlias = Basic | MatrixBase

_NORMALISATION = replace(LatexExtractionConfig().normalization_config, units=False)
"""Units have been read before (see read_words): Math-Verify would take the t of \\sin^2 t for one."""
_ORDINAL = re.compile(r"\^\s*\{?\s*\\(?:text|mathrm)\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?")
_DELIMITER = re.compile(r"(?<!\\)(?:\$|\\[(\[]|\\boxed\b)")
"""Not an escaped dollar sign, and not the end of a row (`\\\\[4pt]`)."""
_PERCENT = re.compile(r"\s*\\?%$")


@lru_cache(maxsize=1024)
def read_latex(text: str) -> Value | None:
    """The value of a text that is LaTeX mathematics as a whole, or None if it cannot be read as such."""
    try:
        latex = normalize_latex(_ORDINAL.sub("", plain_latex(text)), config=_NORMALISATION)
        # Not every ANTLR runtime's grammar reads a percent sign; Math-Verify's own handling of one works.
        number = _PERCENT.sub("", latex)
        value = parse_latex(number)
        value = convert_to_pct(value) if number != latex else value
    except (MemoryError, RecursionError):
        raise
    except Exception:  # any failure of the parser means: not readable
        return None
    return value if isinstance(value, Basic | MatrixBase) else None


def delimited(gold: str) -> str:
    """A gold as a text in which Math-Verify finds it: without delimiters it would look for plain numbers only."""
    return gold if _DELIMITER.search(gold) else f"${gold}$"


def read_free_text(text: str) -> list[Value | str]:
    """The expressions that Math-Verify extracts from prose; without its timeout, because the process is limited."""
    found: list[Value | str] = parse(text, parsing_timeout=None)
    return found
