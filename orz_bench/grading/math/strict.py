"""Reasons why two values that Math-Verify accepts as equal differ: it rounds tiny numbers to 0 and solves loosely.

Each function returns a reason or None; None proves nothing. Runs in worker processes only.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

from sympy import (
    Basic,
    Eq,
    Expr,
    Float,
    Ge,
    Gt,
    I,
    Interval,
    Le,
    Lt,
    MatrixBase,
    Number,
    Pow,
    Rational,
    Symbol,
    Tuple,
    UnevaluatedExpr,
    solve,
)
from sympy import E as EULER
from sympy import FiniteSet as SympyFiniteSet
from sympy.core.function import AppliedUndef
from sympy.core.numbers import ImaginaryUnit
from sympy.core.relational import Relational
from sympy.logic.boolalg import And

from orz_bench.grading.math.reading import Value

TOLERANCE_EXACT = Rational(1, 10**9)
TOLERANCE_DECIMAL = Rational(1, 10**3)
"""Relative. Math-Verify rounds decimals to six places, which is meaningless for numbers that are themselves tiny."""

_DIGITS = 30
_NOISE = 1e-12
"""With decimals, a gold of zero equals anything below this; a tiny gold does not equal zero."""
_SCALES = (1, 1, 7, 31, 3, 101, 5, 13)
"""Scales of the generic points: between 1 and 2 alone, all floors are equal."""
_SIX_PLACES = 5e-7
_NUM_POINTS = 3
_FLIPPED = {Ge: Le, Le: Ge, Gt: Lt, Lt: Gt, Eq: Eq}


def values_differ(gold: Value, answer: Value) -> str | None:
    """Why two values other than relations differ, compared numerically, element by element."""
    if isinstance(gold, MatrixBase) and isinstance(answer, MatrixBase):
        return _any_differ(list(gold.flat()), list(answer.flat())) if gold.shape == answer.shape else None
    if isinstance(gold, Interval) and isinstance(answer, Interval):
        return _any_differ([gold.start, gold.end], [answer.start, answer.end])
    if isinstance(gold, Tuple) and isinstance(answer, Tuple) and len(gold) == len(answer):
        return _any_differ(list(gold), list(answer))
    if isinstance(gold, SympyFiniteSet) and isinstance(answer, SympyFiniteSet) and len(gold) == len(answer):
        return _sets_differ(gold, answer) or _sets_differ(answer, gold)
    names = [_name(one) for one in (gold, answer)]
    if None not in names and names[0] != names[1]:
        return "another letter" if str(names[0]).lower() == str(names[1]).lower() else None
    if isinstance(gold, Symbol) or isinstance(answer, Symbol):
        return None  # Math-Verify compares names here: "abc" is a name and a product of three
    if isinstance(gold, Expr) and isinstance(answer, Expr) and _numbers_differ(gold, answer):
        return "numerically different"
    return None


def _name(value: Value) -> str | None:
    return "e" if value == EULER else value.name if isinstance(value, Symbol) else None


def relations_differ(gold: Value, answer: Value) -> str | None:
    """Why two relations, or a relation and a value, differ although Math-Verify accepts them as equal."""
    if isinstance(gold, And) and isinstance(answer, And):
        pairs = zip(_in_order(gold), _in_order(answer), strict=False)
        return next((why for one, other in pairs if (why := relations_differ(one, other))), None)
    if isinstance(answer, Eq) and not isinstance(gold, Relational | And):
        is_bare = answer.rhs == 0 and len(answer.lhs.free_symbols) > 1
        return "an equation, but the gold is a value" if is_bare else values_differ(gold, answer.rhs)
    if not isinstance(gold, Relational) or not isinstance(answer, Relational):
        return None
    if not all(isinstance(side, Expr) for side in (*gold.args, *answer.args)):
        return None
    ratio = _constant_ratio(gold.lhs - gold.rhs, answer.lhs - answer.rhs)
    if ratio is None:
        return _solutions_differ(gold, answer) if isinstance(gold, Eq) and isinstance(answer, Eq) else None
    same_way = type(gold) is type(answer) if ratio > 0 else _FLIPPED.get(type(gold)) is type(answer)
    return None if same_way or isinstance(gold, Eq) else "the inequality points the other way"


def _any_differ(golds: list[Value], answers: list[Value]) -> str | None:
    return next((why for pair in zip(golds, answers, strict=True) if (why := values_differ(*pair))), None)


def _sets_differ(some: SympyFiniteSet, others: SympyFiniteSet) -> str | None:
    lonely = any(all(values_differ(one, other) for other in others) for one in some)
    return "an element without an equal" if lonely else None


def _numbers_differ(gold: Expr, answer: Expr) -> bool:
    if gold.has(UnevaluatedExpr) or answer.has(UnevaluatedExpr):
        return False  # a percentage: Math-Verify accepts 9 and 9% as equal
    has_decimals = gold.has(Float) or answer.has(Float)
    tolerance = TOLERANCE_DECIMAL if has_decimals else TOLERANCE_EXACT
    names = _names(gold) | _names(answer)
    values = [
        (_value(gold, names, point=point), _value(answer, names, point=point)) for point in range(2 if names else 1)
    ]
    return all(_far(one, other, tolerance=tolerance, zero_is_noise=has_decimals) for one, other in values)


def _far(one: Expr | None, other: Expr | None, *, tolerance: Rational, zero_is_noise: bool) -> bool:
    if one is None or other is None:
        return False
    larger = max(abs(one), abs(other))
    if larger == 0 or (zero_is_noise and one == 0 and larger < _NOISE):
        return False
    return bool(abs(one - other) > tolerance * larger)


def are_one_function(gold: Value, answer: Value) -> bool:
    """Whether two expressions are equal wherever both are real, tested at generic points of either sign.

    Math-Verify's symbols may be negative or complex, and its roots of odd degree are not the real ones: it does not
    find that \\sqrt{xy} is \\sqrt{x}\\sqrt{y}.
    """
    if not isinstance(gold, Expr) or not isinstance(answer, Expr):
        return False
    if gold.has(Float) or answer.has(Float):
        return _are_near(gold, answer)
    if gold.has(UnevaluatedExpr) or answer.has(UnevaluatedExpr):
        return False
    names = _names(gold) | _names(answer)
    if "i" in names and names <= {"i", "e", "E"}:
        return _are_same_constant(gold, answer)
    if not all(_has_root(one) for one in (gold, answer)) and not (not names and (_has_root(gold) or _has_root(answer))):
        return False
    pairs = [
        (_real_value(gold, names, point=point), _real_value(answer, names, point=point))
        for point in range(8 if names else 1)
    ]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    is_same = all(abs(one - other) <= Rational(1, 10**20) * max(abs(one), abs(other), 1) for one, other in known)
    return is_same and len(known) >= (3 if names else 1)


def _are_near(gold: Expr, answer: Expr) -> bool:
    """Compares decimals with names, or complex ones, to six places at generic points; reals are left to Math-Verify."""
    names = _names(gold) | _names(answer)
    if not names and not (gold.has(ImaginaryUnit) or answer.has(ImaginaryUnit)):
        return False
    pairs = [(_value(gold, names, point=point), _value(answer, names, point=point)) for point in range(_NUM_POINTS)]
    return all(
        one is not None and other is not None and abs(one - other) < _SIX_PLACES * max(abs(one), 1)
        for one, other in pairs
    )


def _are_same_constant(gold: Expr, answer: Expr) -> bool:
    """Compares complex constants whose i the grammar takes for a name."""
    one, other = (_value(value, {"i"}, point=0) for value in (gold, answer))
    return one is not None and other is not None and bool(abs(one - other) < Rational(1, 10**20))


def _has_root(value: Expr) -> bool:
    return any(isinstance(power.exp, Rational) and power.exp.q > 1 for power in value.atoms(Pow))


def _real_value(expression: Expr, names: set[str], *, point: int) -> Expr | None:
    """As _value, at points of either sign, with the real root of a negative number if its degree is odd."""
    signs = {name: 1 if point < 3 or zlib.crc32(f"sign {point} {name}".encode()) % 2 else -1 for name in names}
    known = {atom: signs[str(atom)] * _coordinate(str(atom), point) for atom in _free(expression)}
    try:
        if any(
            _is_even_root(power) and power.base.xreplace(known).evalf(_DIGITS).is_negative
            for power in expression.atoms(Pow)
        ):
            return None
        value = expression.xreplace(known).doit().replace(_is_odd_root, _odd_root).evalf(_DIGITS)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # nothing was proved
        return None
    return value if isinstance(value, Number) and value.is_finite and getattr(value, "_prec", 99) > 1 else None


def _is_even_root(power: Pow) -> bool:
    return isinstance(power.exp, Rational) and power.exp.q % 2 == 0


def _is_odd_root(value: Basic) -> bool:
    return isinstance(value, Pow) and isinstance(value.exp, Rational) and value.exp.q % 2 == 1 and value.exp.q > 1


def _odd_root(power: Pow) -> Expr:
    base = power.base.evalf(_DIGITS)
    if not isinstance(base, Number) or not base.is_negative:
        return power
    sign = -1 if power.exp.p % 2 else 1
    return sign * Pow(-power.base, power.exp)


def _names(value: Basic) -> set[str]:
    return {str(atom) for atom in _free(value)}


def _free(value: Basic) -> set[Basic]:
    """The free symbols and unknown functions of an expression: those not bound by a sum, limit or integral."""
    found: set[Basic] = set(value.free_symbols) | value.atoms(AppliedUndef)
    return found


def _value(expression: Expr, names: set[str], *, point: int) -> Expr | None:
    """The value at a fixed generic point; None if it is not a finite number known to many digits."""
    known = {atom: _coordinate(str(atom), point) for atom in _free(expression)} if names else {}
    try:
        value = expression.xreplace(known).doit().evalf(_DIGITS)
        real, imaginary = value.as_real_imag()
    except (MemoryError, RecursionError):
        raise
    except Exception:  # nothing was proved
        return None
    parts = [part for part in (real, imaginary) if part != 0]
    reliable = all(isinstance(part, Number) and part.is_finite and getattr(part, "_prec", 99) > 1 for part in parts)
    return value if reliable else None


def _coordinate(name: str, point: int) -> Expr:
    if name == "i":
        return I
    if name == "e":
        return EULER  # which Math-Verify also reads as a symbol
    return (Rational(1 + zlib.crc32(f"{point} {name}".encode()) % 9973, 9973) + 1) * _SCALES[point]


def _constant_ratio(one: Expr, other: Expr) -> Expr | None:
    """one / other if that is the same real number at several points, or None."""
    names = _names(one) | _names(other)
    values = [
        (_value(one, names, point=point), _value(other, names, point=point))
        for point in range(_NUM_POINTS if names else 1)
    ]
    ratios = [top / bottom for top, bottom in values if top and bottom]
    if len(ratios) < len(values):
        return None
    steady = all(not _far(a, b, tolerance=TOLERANCE_EXACT, zero_is_noise=False) for a, b in pairwise(ratios))
    return ratios[0] if steady and ratios[0].is_real else None


def _solutions_differ(gold: Eq, answer: Eq) -> str | None:
    """Whether a solution of one equation does not solve the other."""
    for name in sorted(_names(gold) & _names(answer)):
        proofs = [_solves(gold, answer, name=name), _solves(answer, gold, name=name)]
        if None not in proofs:
            return "another equation" if False in proofs else None
    return None if _names(gold) == _names(answer) else "an equation in other symbols"


def _solves(one: Eq, other: Eq, *, name: str) -> bool | None:
    """Whether every solution of `one` for the symbol of that name is a zero of `other`; None if none is known."""
    symbol = next(atom for atom in one.atoms(Symbol) if atom.name == name)
    residue = other.lhs - other.rhs
    target = next(atom for atom in other.atoms(Symbol) if atom.name == name)
    names = _names(one) | _names(other)
    try:
        solutions = solve(one, symbol)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # unsolvable for this symbol
        return None
    residues = [_value(residue.xreplace({target: found}), names, point=0) for found in solutions]
    return all(value is None or abs(value) < TOLERANCE_EXACT for value in residues)


def _in_order(relations: And) -> list[Basic]:
    return list(getattr(relations, "_unsorted_args", relations.args))
