"""Signatures and names in the source of installed packages, read without importing them: GPU code has no GPU here.

And the calls of our own source, each as (dotted receiver, method, number of positional arguments, keywords).
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.guards.tree import PROJECT


class NoSuchNameError(LookupError):
    """The installed package has no such module, class or method."""


@dataclass(frozen=True)
class OurCall:
    """A call in our source."""

    place: str
    receiver: str
    method: str
    num_positional: int
    keywords: tuple[str, ...]
    is_complete: bool
    """Whether no argument is starred."""


def calls_in(file: str) -> Iterator[OurCall]:
    """Every call of a dotted name; starred arguments are left out."""
    for node in ast.walk(ast.parse((PROJECT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            receiver, _, method = name.rpartition(".")
            positional = [each for each in node.args if not isinstance(each, ast.Starred)]
            keywords = tuple(each.arg for each in node.keywords if each.arg)
            is_complete = len(positional) == len(node.args) and len(keywords) == len(node.keywords)
            yield OurCall(f"{file}:{node.lineno}", receiver, method, len(positional), keywords, is_complete)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression; empty if it is another kind."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (inner := dotted(node.value)):
        return f"{inner}.{node.attr}"
    return ""


@functools.cache
def path_of(module: str) -> Path:
    """The source of a module, a package or a stub of the installed packages."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        raise NoSuchNameError(f"{top} is not installed")
    base = Path(next(iter(spec.submodule_search_locations))).joinpath(*rest)
    for found in (base.with_suffix(".py"), base / "__init__.py", base.with_suffix(".pyi")):
        if found.is_file():
            return found
    raise NoSuchNameError(f"{module}: no such module in {top}")


@functools.cache
def tree_of(module: str) -> ast.Module:
    """Its parsed source."""
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def definition(module: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    """A class or function by its dotted name inside the module; a name that the module imports is followed."""
    first, _, rest = name.partition(".")
    found = _in_body(tree_of(module).body, first) or _imported(module, first)
    if found is None:
        raise NoSuchNameError(f"{module} has no {first}")
    while rest:
        first, _, rest = rest.partition(".")
        if not isinstance(found, ast.ClassDef):
            raise NoSuchNameError(f"{module}.{name}")
        inner = _in_body(found.body, first) or _inherited(module, found, first)
        if inner is None:
            raise NoSuchNameError(f"{module} has no {name}")
        found = inner
    return found


def _in_body(body: list[ast.stmt], name: str) -> ast.ClassDef | ast.FunctionDef | None:
    """The last one of this name: of overloads in a stub, the one with the most arguments."""
    found = [each for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name]
    return max(found, key=lambda each: len(each.args.args) if isinstance(each, ast.FunctionDef) else 0, default=None)


def _inherited(module: str, found: ast.ClassDef, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    for base in found.bases:
        try:
            return definition(module, f"{dotted(base)}.{name}")
        except NoSuchNameError:
            continue
    return None


def _imported(module: str, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    imports = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.ImportFrom)]
    pairs = [(node, alias) for node in imports for alias in node.names]
    for node, alias in pairs:
        if (alias.asname or alias.name) == name:
            return definition(_source(module, node), alias.name)
        if alias.name == "*" and (found := _exported(_source(module, node), name)) is not None:
            return found
    return None


def _source(module: str, node: ast.ImportFrom) -> str:
    """The absolute name of the module from which something is imported."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + (path_of(module).name == "__init__.py")]
    return ".".join([*kept, node.module or ""]).strip(".")


def _exported(module: str, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    """What `import *` takes from a module of the same package."""
    try:
        return definition(module, name)
    except NoSuchNameError:
        return None


def signature(module: str, name: str) -> inspect.Signature:
    """Of a function, or of a class's constructor, without self."""
    found = definition(module, name)
    if isinstance(found, ast.ClassDef):
        own_fields = fields_of(found)
        try:
            found = definition(module, f"{name}.__init__")
        except NoSuchNameError:
            return inspect.Signature(
                [inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None) for field in own_fields]
            )
    assert isinstance(found, ast.FunctionDef)
    return _signature(found)


def _signature(function: ast.FunctionDef) -> inspect.Signature:
    given, kind = function.args, inspect.Parameter
    positional = [*given.posonlyargs, *given.args]
    num_required = len(positional) - len(given.defaults)
    found = [
        kind(arg.arg, kind.POSITIONAL_OR_KEYWORD, default=kind.empty if place < num_required else None)
        for place, arg in enumerate(positional)
    ]
    is_method = bool(found) and found[0].name in ("self", "cls")
    found = found[1:] if is_method else found
    found += [kind(given.vararg.arg, kind.VAR_POSITIONAL)] if given.vararg else []
    found += [
        kind(arg.arg, kind.KEYWORD_ONLY, default=kind.empty if default is None else None)
        for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    found += [kind(given.kwarg.arg, kind.VAR_KEYWORD)] if given.kwarg else []
    return inspect.Signature(found)


def fields_of(found: ast.ClassDef) -> list[str]:
    """The annotated names of a class: a dataclass's, a pydantic model's, a TypedDict's."""
    return [
        each.target.id for each in found.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]


def constants_in(node: ast.AST) -> set[str]:
    """All strings in a piece of source."""
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def assigned(module: str, name: str) -> ast.expr:
    """What a module assigns to a name."""
    for node in tree_of(module).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node.value
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert node.value is not None
            return node.value
    raise NoSuchNameError(f"{module} does not assign {name}")
