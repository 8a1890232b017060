"""Text that is not ours, such as names of runs, inside Markdown that is: escaped, so that it is shown as it is."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@=^])")


def escaped(text: str) -> str:
    """Markdown that shows just this text, on one line: no emphasis, link, image, HTML, formula, icon or colour."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
