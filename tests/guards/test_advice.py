"""Commands that our own messages advise exist, with their options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.guards.test_docs import PROGRAMS, fault_of_line
from tests.guards.tree import PACKAGES, PROJECT, at, expect_none

_ADVICE = re.compile(rf"(?<![\w/.-])(?:{'|'.join(PROGRAMS)})(?: +[^\s`,;:)\"']+)+")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, content) of every text in a file that is no docstring; a value within one is a word."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "VALUE" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def all_texts() -> Iterator[tuple[str, str]]:
    """(place, content) of every text of the packages that is no docstring."""
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            yield from ((at(path, number), text) for number, text in texts(path))


def test_no_message_advises_what_only_a_checkout_has() -> None:
    expect_none((place for place, text in all_texts() if "streamlit run" in text), wanted="orz-app --runs DIR")


def test_every_command_that_a_message_advises_exists() -> None:
    """A word behind a program's name may be prose ("orz-rl wrote this run"); with an option it is a command."""
    advised = ((place, found.group().rstrip(".")) for place, text in all_texts() for found in _ADVICE.finditer(text))
    found = [(place, line) for place, line in advised if " --" in line]
    assert len(found) >= 15, "the messages are written in another way; find them anew"
    faults = (f"{place}: {line}: {fault}" for place, line in found if (fault := fault_of_line(line)))
    expect_none(faults, wanted="only commands and options that there are")
