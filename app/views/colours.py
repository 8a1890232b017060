"""Symbols, colours and short words for verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SYMBOLS: Mapping[str | None, str] = MappingProxyType(
    {"correct": "✓", "wrong": "✗", "no_answer": "∅", "unparseable": "?", "timeout": "⏱", "error": "!", None: "·"}
)
_COLOURS: Mapping[str | None, str] = MappingProxyType({"correct": "green", "wrong": "red", None: "gray"})
VERDICT_WORDS: Mapping[str | None, str] = MappingProxyType(
    {"no_answer": "no answer", "error": "grader failed", "timeout": "grader timed out", None: "not graded"}
)


def symbol(verdict: str | None) -> str:
    """One character for a verdict: ✓ correct, ✗ wrong, ∅ no answer, ? ⏱ ! not gradable, · not graded."""
    return SYMBOLS.get(verdict, "·")


def words(verdict: str | None) -> str:
    """The verdict in words."""
    return VERDICT_WORDS.get(verdict, verdict or "")


def coloured(verdict: str | None, text: str) -> str:
    """Markdown of a short text of ours in the verdict's colour."""
    return f":{_COLOURS.get(verdict, 'orange')}[{text}]"


def css_class(verdict: str | None) -> str:
    """`v-correct`, `v-wrong`, `v-none` or `v-other`."""
    return {"correct": "v-correct", "wrong": "v-wrong", None: "v-none"}.get(verdict, "v-other")
