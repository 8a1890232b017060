"""Compare a text with a file of tests/golden; with ORZ_WRITE_GOLDEN=1 write it instead, to be looked at then."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"


def expect_golden(name: str, text: str) -> None:
    """Fail where the text is another one than the file's."""
    path = GOLDEN / name
    if os.environ.get("ORZ_WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; ORZ_WRITE_GOLDEN=1 writes it anew"
