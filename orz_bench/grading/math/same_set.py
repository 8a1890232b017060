r"""Whether two descriptions of a set of real numbers have the same members: an interval, an inequality, a union.

x \le 3 is (-\infty, 3]; the name of the unknown does not matter. Runs in worker processes only.
"""

from __future__ import annotations

import re

from sympy import And, Complement, FiniteSet, Intersection, Interval, Or, S, Set, Symbol, Tuple, Union
from sympy.core.relational import Relational

from orz_bench.grading.math.reading import Value, read_latex
from orz_bench.grading.surface.compare import Outcome, alike, unlike

_OR = re.compile(r"\\lor(?![a-zA-Z])|\\text\{or\}")
_AND = re.compile(r"\\land(?![a-zA-Z])")
_MINUS = re.compile(r"\\setminus(?![a-zA-Z])")
_BRACES = re.compile(r"\s*\\(?:left\s*\\)?\{")
_REALS = re.compile(r"\\mathbb\s*\{R\}|\\R(?![a-zA-Z])")


def same_set(gold: str, answer: str) -> Outcome:
    """Whether the two sets are equal; unequal if one of them is not a known set."""
    try:
        one, other = _read_set(gold), _read_set(answer)
        if one is None or other is None:
            return unlike("not known to be the same set")
        is_equal = one == other or bool(one.symmetric_difference(other).is_empty)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # sympy cannot compare many sets
        return unlike("not known to be the same set")
    return alike("the same set") if is_equal else unlike("different set")


def _read_set(text: str) -> Set | None:
    if len(parts := _OR.split(text)) > 1:
        sets = [_read_set(part) for part in parts]
        return None if None in sets else Union(*sets)
    if len(parts := _AND.split(text)) > 1:
        sets = [_read_set(part) for part in parts]
        return None if None in sets else Intersection(*sets)
    if len(parts := _MINUS.split(text)) == 2:
        whole, without = (_read_set(part) for part in parts)
        return None if whole is None or without is None else Complement(whole, without)
    if _REALS.fullmatch(text.strip()):
        return S.Reals
    if text.strip() in ("\\emptyset", "\\{\\}"):
        return S.EmptySet
    value = read_latex(text)
    if isinstance(value, FiniteSet):
        return value if _BRACES.match(text) else None  # without braces it is several values, not their set
    found = _as_set(value)
    return None if found is S.EmptySet else found  # sympy makes that of (15, -29), which is a point


def _as_set(value: Value | None) -> Set | None:
    if value is None:
        return None
    if isinstance(value, And) or type(value).__name__ == "And":
        sets = [_as_set(part) for part in getattr(value, "_unsorted_args", value.args)]
        return None if None in sets else Intersection(*sets)
    if isinstance(value, Or):
        sets = [_as_set(part) for part in value.args]
        return None if None in sets else Union(*sets)
    if isinstance(value, Relational):
        return _solutions(value)
    if isinstance(value, Tuple) and len(value) == 2:
        return Interval.open(*value)
    return value if isinstance(value, Set) and not isinstance(value, FiniteSet) else None


def _solutions(relation: Relational) -> Set | None:
    names = list(relation.free_symbols)
    if len(names) != 1:
        return None
    unknown = Symbol("x", real=True)
    found: Set = relation.xreplace({names[0]: unknown}).as_set()
    return found
