"""Word lists from a text file in this folder: sections in brackets, each with a note, then words."""

from __future__ import annotations

import re
from pathlib import Path

_SECTION = re.compile(r"\[([^\]]+)\].*")


def read_lists(name: str) -> dict[str, frozenset[str]]:
    """The words of each section of a file of this folder."""
    sections: dict[str, set[str]] = {}
    words: set[str] = set()
    for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines():
        if section := _SECTION.fullmatch(line):
            words = sections.setdefault(section[1], set())
        elif not line.startswith("#"):
            words.update(line.split())
    return {section: frozenset(found) for section, found in sections.items()}
