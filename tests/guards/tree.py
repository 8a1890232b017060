"""The project's files as the guards see them, and how a guard tells what it found."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2]
PACKAGES = ("orz_bench", "orz_rl", "analysis", "app")


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def declared() -> dict[str, Requirement]:
    """What pyproject.toml asks for, extras included, by normal name."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (line for lines in project["optional-dependencies"].values() for line in lines)
    return {normal(r.name): r for r in map(Requirement, [*project["dependencies"], *extras])}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track; without git, every file outside hidden and generated folders."""
    command = ["git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        paths = [PROJECT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in PROJECT.rglob("*") if not _is_generated(path.relative_to(PROJECT))]
    return tuple(sorted(path for path in paths if path.is_file()))


def _is_generated(path: Path) -> bool:
    parts = path.parts
    hidden = any(part.startswith(".") and part not in (".ci", ".gitignore") for part in parts)
    return hidden or parts[0] in ("runs", "models", "build", "dist") or "__pycache__" in parts or "egg-info" in parts[0]


@cache
def text_files() -> tuple[tuple[Path, str], ...]:
    """(path, content) of every tracked file that is UTF-8 text."""
    found = []
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        try:
            found.append((path, data.decode()))
        except UnicodeDecodeError:
            continue
    return tuple(found)


@cache
def python_files() -> tuple[tuple[Path, ast.Module], ...]:
    """(path, syntax tree) of every tracked Python file."""
    return tuple((path, ast.parse(text)) for path, text in text_files() if path.suffix == ".py")


def package_files() -> Iterator[tuple[Path, ast.Module]]:
    """The Python files that are installed, without tests and benchmarks, and without the hooks of other trainers, which
    are copied into a run and imported by them.
    """
    installed = ((path, tree) for path, tree in python_files() if path.relative_to(PROJECT).parts[0] in PACKAGES)
    return ((path, tree) for path, tree in installed if not (path.name == "hook.py" and "external" in path.parts))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def at(path: Path, line: int) -> str:
    """`folder/file.py:12`, which editors open."""
    return f"{path.relative_to(PROJECT)}:{line}"


def expect_none(faults: Iterable[str], *, wanted: str) -> None:
    """Fail with every fault on a line of its own."""
    found = list(faults)
    assert not found, f"wanted: {wanted}; found:\n  " + "\n  ".join(found)
