"""Plain arithmetic such as "3*(4+1)/2" as an unevaluated sympy expression, without Python's eval.

Replaces sympy's parse_expr, which evaluates its input as Python.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from sympy import Add, Expr, Float, Integer, Mul, Pow


def read_arithmetic(text: str) -> Expr:
    """The expression. Raises ValueError for anything but numbers, + - * / ** and parentheses."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("not plain arithmetic") from error
    return _convert(tree.body)


def _convert(node: ast.expr) -> Expr:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Integer(node.value)
    if isinstance(node, ast.Constant) and type(node.value) is float:
        return Float(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        operand = _convert(node.operand)
        return operator.neg(operand) if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp) and (build := _OPERATIONS.get(type(node.op))):
        return build(_convert(node.left), _convert(node.right))
    raise ValueError(f"not plain arithmetic: {type(node).__name__}")


def _quotient(left: Expr, right: Expr) -> Expr:
    return Mul(left, Pow(right, Integer(-1), evaluate=False), evaluate=False)


_OPERATIONS: dict[type[ast.operator], Callable[[Expr, Expr], Expr]] = {
    ast.Add: lambda left, right: Add(left, right, evaluate=False),
    ast.Sub: lambda left, right: Add(left, Mul(Integer(-1), right, evaluate=False), evaluate=False),
    ast.Mult: lambda left, right: Mul(left, right, evaluate=False),
    ast.Div: _quotient,
    ast.Pow: lambda left, right: Pow(left, right, evaluate=False),
}
