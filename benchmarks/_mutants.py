"""Small mutations of Python source: an operator, a constant, a comparison, a branch. One change each, by position."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module's source with one change; `key` names it by its line's text, so that it survives moves of the line."""

    key: str
    line: int
    source: str


def mutants(source: str) -> list[Mutant]:
    """Every mutation of a module, in the order of its source."""
    tree = ast.parse(source)
    lines = source.splitlines()
    found = []
    seen: dict[str, int] = {}
    for number, node in enumerate(_nodes(tree)):
        for place, (what, _) in enumerate(_changes(node)):
            text = f"{lines[node.lineno - 1].strip()} | {what}"
            seen[text] = seen.get(text, 0) + 1
            key = text if seen[text] == 1 else f"{text} ({seen[text]})"
            found.append(Mutant(key, node.lineno, _changed(tree, number, place)))
    return found


def _changed(tree: ast.Module, number: int, place: int) -> str:
    copy = deepcopy(tree)
    node = next(node for at, node in enumerate(_nodes(copy)) if at == number)
    _, change = list(_changes(node))[place]
    change()
    return ast.unparse(ast.fix_missing_locations(copy)) + "\n"


def _nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Nodes that may be mutated: no annotation, decorator, message of an error or part of an f-string."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Raise, ast.JoinedStr, ast.Assert, ast.Import)):
                continue
            if _is_type_alias(child) or _is_guard_of_types(child) or _is_strict(child):
                continue
            if isinstance(child, (ast.expr, ast.stmt)):
                yield child
            yield from _nodes(child)


def _is_type_alias(node: ast.AST) -> bool:
    """`Name = X | Y` at the top of a module, or a subscript that is a type."""
    is_union = (
        isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
    )
    return is_union and all(isinstance(target, ast.Name) and target.id[0].isupper() for target in node.targets)  # type: ignore[attr-defined]


def _is_guard_of_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _is_strict(node: ast.AST) -> bool:
    """The assertion in `zip(..., strict=True)`."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    """(what changes, a function that does it to the node)."""
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            new = _COMPARISONS[type(op)]
            yield f"{_name(op)} to {_name(new())}", _setter(node.ops, place, new())
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _OPERATORS:
        new_op = _OPERATORS[type(node.op)]()
        yield f"{_name(node.op)} to {_name(new_op)}", _attribute(node, "op", new_op)
    elif isinstance(node, ast.BoolOp):
        other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield f"{_name(node.op)} to {_name(other)}", _attribute(node, "op", other)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield f"{node.value} to {value}", _attribute(node, "value", value)
    elif isinstance(node, (ast.If, ast.IfExp)):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield f"branch on {ast.unparse(node.test)} turned", _attribute(node, "test", negated)


def _name(op: ast.AST) -> str:
    return type(op).__name__


def _setter(items: list[ast.cmpop], place: int, value: ast.cmpop) -> Callable[[], None]:
    return lambda: items.__setitem__(place, value)


def _attribute(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)
