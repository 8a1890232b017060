r"""Whether two answers are equal, by Math-Verify, with its known false positives closed. Runs only in worker processes.

It sets no time or memory limit: the host that runs it does, by killing it.
"""

from __future__ import annotations

import logging
import math
import re
from typing import Any

from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig
from sympy import Basic, Expr, FiniteSet, Float, Interval, Rational, Symbol, Tuple, UnevaluatedExpr

from orz_bench.grading import latex_parser
from orz_bench.grading.answer_text import plain_words

logging.getLogger("math_verify").setLevel(logging.ERROR)
latex_parser.install()

RELATIVE_TOLERANCE_FLOAT = 1e-4
"""Between a decimal and another number: what agrees to six places also has to agree in its first four digits."""
RELATIVE_TOLERANCE_EXACT = 1e-12
_DIGITS = 30
_PROBE_DIGITS = 15
_CLEARLY = 1e-4
_ELLIPSIS = re.compile(r"\\[lcv]?dots[bcimo]?|\.\.\.|…")
_LATEX_ONLY = [LatexExtractionConfig()]


def judge(gold: str, answer: str, *, strict: bool) -> tuple[str, str]:
    """(verdict, why) of a normalised answer against a normalised gold: correct, wrong or unparseable."""
    golds, answers = parse_answer(gold), parse_answer(answer)
    if refuted(golds, answers):
        return "wrong", "another value"
    if _equal(golds, answers):
        fault = _false_positive(gold, answer, golds, answers) if strict else None
        return ("wrong", fault) if fault else ("correct", "Math-Verify: equal")
    if plain_words(gold) and plain_words(gold) == plain_words(answer):
        return "correct", "same words"
    if not _has_expression(answers) and _has_expression(golds):
        return "unparseable", "Math-Verify reads no expression in it"
    return "wrong", "Math-Verify: not equal"


def judge_text(gold: str, prediction: str, *, strict: bool) -> tuple[str, str]:
    """The same for free text on both sides, in which Math-Verify itself looks for the answer."""
    golds, predictions = parse(gold, parsing_timeout=None), parse(prediction, parsing_timeout=None)
    if _equal(golds, predictions):
        fault = _false_positive(gold, prediction, golds, predictions) if strict else None
        return ("wrong", fault) if fault else ("correct", "Math-Verify: equal")
    return ("wrong", "Math-Verify: not equal") if predictions else ("unparseable", "Math-Verify finds no answer in it")


def parse_answer(text: str) -> list[Any]:
    """What Math-Verify reads in an answer: expressions first, the text itself last."""
    body, percent = (text[:-1].rstrip().rstrip("\\"), "%") if text.endswith("%") else (text, "")
    found = parse(f"${body}${percent}", _LATEX_ONLY, parsing_timeout=None)
    if not _has_expression(found):
        boxed = parse(f"\\boxed{{{text}}}", _LATEX_ONLY, parsing_timeout=None)
        found = boxed if _has_expression(boxed) else found
    return list(found)


def refuted(golds: list[Any], answers: list[Any]) -> bool:
    """Whether two answers clearly differ in value, which spares Math-Verify's simplify. Never a guess.

    Math-Verify calls expressions equal where their difference is, or simplifies to, zero; a difference that is not zero
    at one point is neither. The same holds for intervals, tuples and finite sets of one length, item by item. Symbols,
    other sets, relations, percentages and plain texts are left to Math-Verify.
    """
    gold, answer = next(iter(golds), None), next(iter(answers), None)
    gold_items, answer_items = _items(gold), _items(answer)
    if type(gold_items) is not type(answer_items) or len(gold_items) != len(answer_items):
        return False
    point = {symbol: Rational(3 + 2 * i, 7) for i, symbol in enumerate(_symbols(*gold_items, *answer_items))}
    try:
        pairs = zip(_values(gold_items, point), _values(answer_items, point), strict=True)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return False
    return any(_clearly_apart(left, right) for left, right in pairs)


def _items(expression: Any) -> tuple[Any, ...] | list[Any]:
    """The parts to compare by value: a list where order matters, a tuple where it does not, empty where nothing is sure."""
    if isinstance(expression, Interval):
        return [expression.start, expression.end]
    if isinstance(expression, FiniteSet):
        return tuple(expression.args)
    if isinstance(expression, Expr) and not isinstance(expression, Symbol) and not expression.has(UnevaluatedExpr):
        return [expression]
    return ()


def _values(items: tuple[Any, ...] | list[Any], point: dict[Any, Any]) -> list[complex]:
    values = [complex(item.subs(point).evalf(_PROBE_DIGITS)) for item in items]
    return values if isinstance(items, list) else sorted(values, key=lambda value: (value.real, value.imag))


def _clearly_apart(left: complex, right: complex) -> bool:
    scale = max(abs(left), abs(right))
    return math.isfinite(scale) and abs(left - right) > max(_CLEARLY * scale, _CLEARLY)


def _symbols(*expressions: Any) -> list[Any]:
    free = set().union(*(expression.free_symbols for expression in expressions))
    return sorted(free, key=str)


def _equal(golds: list[Any], answers: list[Any]) -> bool:
    return bool(verify(golds, answers, timeout_seconds=None))


def _has_expression(parsed: list[Any]) -> bool:
    return any(not isinstance(item, str) for item in parsed)


def _false_positive(gold: str, answer: str, golds: list[Any], answers: list[Any]) -> str | None:
    """Why Math-Verify's "equal" is not to be believed here, or None."""
    if bool(_ELLIPSIS.search(gold)) and _ELLIPSIS.search(answer):
        return (
            None if _same_elements(gold, answer) else "strict: sequences with an ellipsis differ in what is written out"
        )
    expressions = [item for item in golds if not isinstance(item, str)], [x for x in answers if not isinstance(x, str)]
    if expressions[0] and expressions[1] and not _plausibly_equal(expressions[0][0], expressions[1][0]):
        return "strict: the numbers differ by more than rounding"
    return None


def _same_elements(gold: str, answer: str) -> bool:
    """Lists with an ellipsis, compared item by item."""
    golds, answers = (_ELLIPSIS.sub("...", text).strip("()[]{}\\ ").split(",") for text in (gold, answer))
    if len(golds) != len(answers):
        return False
    pairs = [(g.strip(), a.strip()) for g, a in zip(golds, answers, strict=True)]
    return all(g == a or _equal(parse_answer(g), parse_answer(a)) for g, a in pairs)


def _plausibly_equal(gold: Any, answer: Any) -> bool:
    """False only where both are numbers (or lists of numbers) that a relative comparison tells apart."""
    if isinstance(gold, (FiniteSet, Tuple)) and isinstance(answer, (FiniteSet, Tuple)) and len(gold) == len(answer):
        if not all(_is_number(item) and item.is_real for item in (*gold.args, *answer.args)):
            return True
        pairs = zip(sorted(gold.args), sorted(answer.args), strict=True)
        return all(_close(g, a) for g, a in pairs)
    if _is_number(gold) and _is_number(answer):
        return _close(gold, answer)
    return True


def _is_number(item: Any) -> bool:
    return isinstance(item, Expr) and bool(item.is_number) and not item.is_infinite


def _close(gold: Basic, answer: Basic) -> bool:
    exact = not (gold.has(Float) or answer.has(Float))
    tolerance = RELATIVE_TOLERANCE_EXACT if exact else RELATIVE_TOLERANCE_FLOAT
    left, right = gold.doit().evalf(_DIGITS), answer.doit().evalf(_DIGITS)
    largest = max(abs(left), abs(right))
    if abs(left - right) <= tolerance * largest:
        return True
    return _by_percent(gold, answer) or bool((gold - answer).equals(0))


def _by_percent(gold: Basic, answer: Basic) -> bool:
    """9 % and 9, which Math-Verify takes for the same."""
    left, right = gold.evalf(_DIGITS), answer.evalf(_DIGITS)
    return bool(abs(left * 100 - right) < 1e-9 * abs(right) or abs(right * 100 - left) < 1e-9 * abs(left))
