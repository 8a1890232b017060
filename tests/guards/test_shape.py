"""Sizes and names: files, functions, nesting and parameters stay within the limits of CONTRIBUTING.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.guards.shape import methods, nesting, num_lines, parameters
from tests.guards.tree import PROJECT, at, expect_none, functions, package_files, python_files

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_NESTING = 3
MAX_PARAMETERS = 6
MAX_POSITIONAL = 2
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager"}


def test_no_file_is_too_long() -> None:
    lengths = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path, _ in python_files())
    expect_none(
        (f"{at(path, 1)}: {length} lines" for path, length in lengths if length > MAX_FILE_LINES),
        wanted=f"at most {MAX_FILE_LINES} lines a file; split it by reason to change",
    )


def test_no_function_is_too_long() -> None:
    expect_none(
        (
            f"{at(path, function.lineno)}: {function.name} has {num_lines(function)} lines"
            for path, tree in python_files()
            for function in functions(tree)
            if num_lines(function) > MAX_FUNCTION_LINES
        ),
        wanted=f"at most {MAX_FUNCTION_LINES} lines a function",
    )


def test_no_function_is_nested_too_deep() -> None:
    expect_none(
        (
            f"{at(path, function.lineno)}: {function.name} is {nesting(function)} blocks deep"
            for path, tree in python_files()
            for function in functions(tree)
            if nesting(function) > MAX_NESTING
        ),
        wanted=f"at most {MAX_NESTING} blocks inside one another; return early, or name the inner part",
    )


def test_no_function_takes_too_much() -> None:
    expect_none(
        _parameter_faults(),
        wanted=f"at most {MAX_PARAMETERS} parameters, keyword-only after the first {MAX_POSITIONAL}",
    )


def _parameter_faults() -> Iterator[str]:
    for path, tree in package_files():
        owned = methods(tree)
        for function in functions(tree):
            if function.name.startswith("__"):  # Python calls them itself
                continue
            total, positional = parameters(function, is_method=function in owned)
            if total > MAX_PARAMETERS or positional > MAX_POSITIONAL:
                yield f"{at(path, function.lineno)}: {function.name} takes {total}, {positional} of them by position"


def test_every_module_is_named_for_what_it_holds() -> None:
    vague = (path for path, _ in python_files() if VAGUE_NAMES & {path.stem, *path.relative_to(PROJECT).parts})
    expect_none((at(path, 1) for path in vague), wanted=f"no module or folder named {', '.join(sorted(VAGUE_NAMES))}")


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("def f(): return 1", 0),
        ("def f():\n if a: pass\n elif b: pass\n elif c: pass", 1),
        ("def f():\n if a: pass\n else:\n  if b: pass\n  x = 1", 2),
        ("def f():\n with a:\n  for b in c:\n   try: pass\n   except E:\n    while d: pass", 4),
        ("def f():\n if a:\n  def g():\n   if b: pass", 1),
        ("def f():\n match a:\n  case 1:\n   if b: pass", 2),
    ],
)
def test_nesting_counts_blocks(source: str, depth: int) -> None:
    assert nesting(next(functions(ast.parse(source)))) == depth


def test_parameters_leave_out_self() -> None:
    tree = ast.parse("class C:\n def m(self, a, b, *, c): ...\n @staticmethod\n def s(a): ...\ndef f(a, *rest, b): ...")
    owned = methods(tree)
    counted = {f.name: parameters(f, is_method=f in owned) for f in functions(tree)}
    assert counted == {"m": (3, 2), "s": (1, 1), "f": (2, 1)}


@pytest.mark.parametrize(
    ("signature", "count"),
    [
        ("a: tuple[int, str], b", 3),
        ("a: tuple[int, ...]", 1),
        ("a: dict[int, str]", 1),
        ("*, where: tuple[A, B, C]", 3),
    ],
)
def test_members_of_tuples_count_as_parameters(signature: str, count: int) -> None:
    (function,) = functions(ast.parse(f"def f({signature}): ..."))
    assert parameters(function, is_method=False)[0] == count
