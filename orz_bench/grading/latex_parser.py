"""Two changes to how Math-Verify parses, made in grading processes only; neither changes what an answer means.

- Prediction in two stages. Its ANTLR grammar spends most of its time on full-context prediction. The SLL mode returns the
  same parse tree or a syntax error (ANTLR 4 reference, PredictionMode), so it goes first and LL decides after an error.
- No eval. Plain arithmetic such as `1/2` goes through the LaTeX parser instead of sympy's parse_expr, which is Python's
  eval.
"""

from __future__ import annotations

from typing import Any

import latex2sympy2_extended.latex2sympy2 as latex2sympy2
import math_verify.parser
from antlr4.atn.PredictionMode import PredictionMode


class TwoStageParser(latex2sympy2.PSParser):  # type: ignore[misc]
    """The grammar's parser, fast mode first."""

    def math(self) -> Any:
        """Parse the grammar's top rule."""
        self._interp.predictionMode = PredictionMode.SLL
        try:
            return super().math()
        except Exception:  # the listener raises plain Exceptions; the full mode either parses or raises them again
            self.reset()
            self._interp.predictionMode = PredictionMode.LL
            return super().math()


def parse_arithmetic(text: str) -> Any:
    """Digits and operators, read as LaTeX."""
    return latex2sympy2.latex2sympy(text.replace("**", "^").replace("*", "\\cdot "))


def install() -> None:
    """Make Math-Verify in this process use both."""
    latex2sympy2.PSParser = TwoStageParser
    math_verify.parser.parse_expr_cached = parse_arithmetic
