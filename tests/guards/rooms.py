"""The rooms of the packages, from their imports: `python -m tests.guards.rooms` writes them into CONTRIBUTING.md.

A room is a folder or a module in a package's root. Its floor is one more than the highest floor of what it imports.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.guards.tree import PACKAGES, PROJECT

PAGE = PROJECT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: written by python -m tests.guards.rooms -->", "<!-- end of rooms -->"


@dataclass(frozen=True, slots=True)
class Room:
    """A folder or a module in the root of a package."""

    package: str
    name: str
    purpose: str
    imports: frozenset[str]
    """Rooms of the same package."""
    is_module: bool


def main() -> None:
    """Write the section."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(text), encoding="utf-8")


def with_section(text: str) -> str:
    """The page with the section of today's code."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{section()}{END}{rest.split(END)[1]}"


def section() -> str:
    """One block a package: its floors from the command line down, then a line a room."""
    blocks = [_block(package) for package in PACKAGES]
    return "\n".join(blocks)


def floors(rooms: Mapping[str, Room]) -> dict[str, int]:
    """Floor by room. RecursionError where rooms import one another in a circle."""

    @cache
    def floor(name: str) -> int:
        return 1 + max((floor(other) for other in rooms[name].imports), default=0)

    return {name: floor(name) for name in rooms}


@cache
def rooms_of(package: str) -> Mapping[str, Room]:
    """The rooms of a package by name."""
    root = PROJECT / package
    imports: dict[str, set[str]] = defaultdict(set)
    for path in sorted(root.rglob("*.py")):
        here = _room(path.relative_to(root).parts)
        for target in _imported(path, package):
            if here and target and target != here:
                imports[here].add(target)
        if here:
            imports[here] |= set()
    found = {}
    for name, others in imports.items():
        is_module = (root / f"{name}.py").exists()
        source = root / f"{name}.py" if is_module else root / name / "__init__.py"
        found[name] = Room(package, name, _first_sentence(source), frozenset(others), is_module=is_module)
    return found


def _room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py").replace("__init__", "")


def _imported(path: Path, package: str) -> set[str]:
    """The rooms of the package that a file names in its imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    mine = (name.split(".") for name in names if name.startswith(f"{package}."))
    return {parts[1] for parts in mine if _is_room(package, parts[1])}


def _is_room(package: str, name: str) -> bool:
    root = PROJECT / package
    return (root / f"{name}.py").exists() or (root / name / "__init__.py").exists()


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", first)[0].rstrip(".")


def _block(package: str) -> str:
    rooms = rooms_of(package)
    by_floor: dict[int, list[str]] = defaultdict(list)
    for name, floor in floors(rooms).items():
        by_floor[floor].append(name)
    names = [f"{floor}  {' · '.join(sorted(by_floor[floor]))}" for floor in sorted(by_floor, reverse=True)]
    lines = [f"### {package}", "", "```", *names, "```", "", "| room | what it does |", "|---|---|"]
    for floor in sorted(by_floor, reverse=True):
        for name in sorted(by_floor[floor]):
            label = f"{name}.py" if rooms[name].is_module else f"{name}/"
            lines.append(f"| `{label}` | {rooms[name].purpose.replace('|', '·')} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    if "--show" in sys.argv:
        sys.stdout.write(section())
    else:
        main()
