"""Measures of a function: its length, its nesting, its parameters."""

from __future__ import annotations

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def num_lines(function: Function) -> int:
    """Lines from `def` to the end, without decorators; of a command, whose options fill its head, the body only."""
    start = function.body[0].lineno if is_command(function) else function.lineno
    return (function.end_lineno or start) - start + 1


def is_command(function: Function) -> bool:
    """Whether it is a command of a command line."""
    return function.name.endswith("_command")


def nesting(node: ast.AST) -> int:
    """How many blocks stand inside one another; `elif` is no deeper than its `if`, an inner function starts anew."""
    return max((_depth_of(child, node) for child in ast.iter_child_nodes(node)), default=0)


def _depth_of(child: ast.AST, parent: ast.AST) -> int:
    if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return 0
    is_elif = isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]
    return nesting(child) + (isinstance(child, _BLOCKS) and not is_elif)


def parameters(function: Function, *, is_method: bool) -> tuple[int, int]:
    """(all, positional) parameters of a caller's view: without self or cls, *args and **kwargs."""
    named = [*function.args.posonlyargs, *function.args.args]
    decorators = {node.id for node in function.decorator_list if isinstance(node, ast.Name)}
    positional = len(named) - (1 if is_method and "staticmethod" not in decorators else 0)
    return positional + len(function.args.kwonlyargs), positional


def methods(tree: ast.AST) -> set[Function]:
    """The functions that stand directly in a class."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {
        node for owner in classes for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
