"""Escapes external text, such as names of runs, inside our Markdown, so that it is shown literally."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@=^])")


def escaped(text: str) -> str:
    """Markdown that shows exactly this text on one line: no emphasis, link, image, HTML, formula, icon or colour."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
