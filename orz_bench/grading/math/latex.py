"""Math-Verify's LaTeX parser, several times faster: the same grammar and conversion, with the cheaper prediction first.

ANTLR's SLL prediction yields either the same tree as its full (LL) prediction or a syntax error; only after an error is
the text parsed again with LL. Runs in worker processes only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy
from math_verify.grader import should_treat_as_complex
from math_verify.parser import get_last_eq

_CONVERSION = ConversionConfig(lowercase_symbols=False)
"""V and v are different names."""


@lru_cache(maxsize=1024)
def parse_latex(latex: str) -> Any:
    """The value of normalised LaTeX, or of the right side of its last equation. Raises if it has none.

    Replaces math_verify.parser.parse_latex_cached, with the same results.
    """
    try:
        return _parse(latex)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        last = get_last_eq(latex)
        if last == latex:
            raise
        return _parse(last)


class _SllLatex2Sympy(_Latex2Sympy):  # type: ignore[misc]
    def create_parser(self, latex_str: str) -> Any:
        parser = super().create_parser(latex_str)
        parser._interp.predictionMode = PredictionMode.SLL  # noqa: SLF001 -- ANTLR has no other way
        return parser


def _parse(latex: str) -> Any:
    settings = {"is_real": not should_treat_as_complex(latex), "convert_degrees": False, "config": _CONVERSION}
    try:
        return _SllLatex2Sympy(**settings).parse(latex)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return _Latex2Sympy(**settings).parse(latex)
