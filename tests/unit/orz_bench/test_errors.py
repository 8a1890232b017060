"""Parts of messages: counts with their nouns, suggestions of names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from orz_bench.errors import counted, nearest
from tests.guards.tree import PACKAGES, PROJECT, expect_none

_NOUN_FOLLOWS = re.compile(r" (?:[a-z]+ )?[a-z]{2,}[^su ]s\b")
_FINE = re.compile(r" (?:needs|characters)\b")
"""A verb, and what is told of many characters only."""


@pytest.mark.parametrize(
    ("number", "noun", "verb", "text"),
    [
        (1, "step", None, "1 step"),
        (0, "step", None, "0 steps"),
        (2000, "gold answer", None, "2,000 gold answers"),
        (2, "entry", None, "2 entries"),
        (2, "day", None, "2 days"),
        (1, "part", ("is", "are"), "1 part is"),
        (3, "part", ("is", "are"), "3 parts are"),
    ],
)
def test_nouns_and_verbs_follow_the_number(number: int, noun: str, verb: tuple[str, str] | None, text: str) -> None:
    assert counted(number, noun, verb=verb) == text


def test_a_suggestion_reads_right_whatever_follows() -> None:
    assert nearest("vlm", ["vllm", "fake"]) == " (did you mean 'vllm'?)"
    assert nearest("nothing of the kind", ["vllm", "fake"]) == ""
    files = (path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
    expect_none(
        (str(path) for path in files if "did you mean" in path.read_text() and path.name != "errors.py"),
        wanted="suggestions made by orz_bench.errors.nearest alone",
    )


def test_no_message_counts_one_thing_as_several() -> None:
    """A number of things stands before a plural noun in no text: `counted` writes both."""
    expect_none(_uncounted(), wanted="counted(number, noun) in texts")


def _uncounted() -> Iterator[str]:
    files = (path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py")))
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield from (f"{path.relative_to(PROJECT)}:{text}" for text in _uncounted_in(node))


def _uncounted_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[a-z]\(s\)", node.value):
        yield f"{node.lineno} {node.value!r}"
    if isinstance(node, ast.JoinedStr):
        pairs = zip(node.values, node.values[1:], strict=False)
        yield from (
            f"{node.lineno} {ast.unparse(value)} {after.value!r}"
            for value, after in pairs
            if isinstance(after, ast.Constant) and _is_count(value) and _is_plural(str(after.value))
        )


def _is_count(value: ast.expr) -> bool:
    """Whether it is a length, or a variable named as a number of things."""
    if not isinstance(value, ast.FormattedValue):
        return False
    inner = value.value
    if isinstance(inner, ast.Call):
        return isinstance(inner.func, ast.Name) and inner.func.id == "len"
    name = inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
    return name.startswith("num_")


def _is_plural(text: str) -> bool:
    return _NOUN_FOLLOWS.match(text) is not None and _FINE.match(text) is None
