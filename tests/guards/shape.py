"""Measures of a function: its length, its nesting, its parameters."""

from __future__ import annotations

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def num_lines(function: Function) -> int:
    """Lines from `def` to the end, without decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def nesting(node: ast.AST) -> int:
    """How many blocks stand inside one another; `elif` is no deeper than its `if`, an inner function starts anew."""
    return max((_depth_of(child, node) for child in ast.iter_child_nodes(node)), default=0)


def _depth_of(child: ast.AST, parent: ast.AST) -> int:
    if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return 0
    is_elif = isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]
    return nesting(child) + (isinstance(child, _BLOCKS) and not is_elif)


def parameters(function: Function, *, is_method: bool) -> tuple[int, int]:
    """(all, positional) parameters of a caller's view: without self or cls, *args and **kwargs.

    A tuple of named things counts as its members: `where: tuple[Path, int]` is two parameters.
    """
    named = [*function.args.posonlyargs, *function.args.args]
    decorators = {node.id for node in function.decorator_list if isinstance(node, ast.Name)}
    positional = len(named) - (1 if is_method and "staticmethod" not in decorators else 0)
    keywords = function.args.kwonlyargs
    return positional + len(keywords) + sum(_num_further(each.annotation) for each in [*named, *keywords]), positional


def _num_further(annotation: ast.expr | None) -> int:
    """Members after the first of an annotation `tuple[A, B]`; 0 for anything else, `tuple[A, ...]` among it."""
    if not (isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name)):
        return 0
    members = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
    is_open = any(isinstance(member, ast.Constant) and member.value is Ellipsis for member in members)
    return len(members) - 1 if annotation.value.id == "tuple" and members and not is_open else 0


def methods(tree: ast.AST) -> set[Function]:
    """The functions that stand directly in a class."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {
        node for owner in classes for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
