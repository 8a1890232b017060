"""Find the program in a response. Both rules take time linear in the length of the text.

lcb     LiveCodeBench's: the text between the last two lines that contain three backticks
fence   the last closed code block, as in Markdown: only a bare fence closes a block, so that a fence in prose or an
        unfinished block does not swap inside and outside
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

_FENCE = "```"


def extract_lcb(response: str) -> str | None:
    """The program by LiveCodeBench's rule; None without two such lines, or with nothing between them."""
    lines = response.split("\n")
    marked = [number for number, line in enumerate(lines) if _FENCE in line]
    return _text(lines[marked[-2] + 1 : marked[-1]]) if len(marked) >= 2 else None


def extract_fence(response: str) -> str | None:
    """The content of the last closed code block, or None."""
    lines = response.split("\n")
    opened: int | None = None
    last: str | None = None
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped.startswith(_FENCE):
            continue
        if opened is None or stripped != _FENCE:
            opened = number
        else:
            last = _text(lines[opened + 1 : number]) or last
            opened = None
    return last


CODE_EXTRACTORS: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {"lcb": extract_lcb, "fence": extract_fence}
)


def code_extractors(extractor: str) -> tuple[str, str]:
    """The extractor that counts and the second one; protocols for mathematics read programs by LiveCodeBench's rule."""
    return ("fence", "lcb") if extractor == "fence" else ("lcb", "fence")


def _text(lines: list[str]) -> str | None:
    text = "\n".join(lines)
    return text if text.strip() else None
