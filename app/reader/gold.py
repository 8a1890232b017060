"""Where a response contains the gold outside longer words and numbers."""

from __future__ import annotations

from collections.abc import Iterator

from app.reader.markup import Mark

END_CHARS = 200
"""A gold in so many last characters is probably the answer that was given."""
MOST_MARKS = 500


def gold_places(text: str, gold: object, *, start: int = 0) -> Iterator[int]:
    """Where the gold begins, from `start` on. 1.5 and 1,500 do not contain 1; "is 1." does."""
    wanted = gold.strip() if isinstance(gold, str) else ""
    at = start - 1
    while wanted and (at := text.find(wanted, at + 1)) >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(wanted) : at + len(wanted) + 2]
        inside = (before.isalnum() and wanted[0].isalnum()) or (after[:1].isalnum() and wanted[-1].isalnum())
        in_number = (after[:1] in {".", ","} and after[1:].isdigit()) or (before in {".", ","} and wanted[0].isdigit())
        if not inside and not (in_number and wanted[-1].isdigit()):
            yield at


def gold_marks(text: str, gold: str, *, is_at_end: bool = False) -> list[Mark]:
    """Marks on the gold: all, or those at the end."""
    wanted = gold.strip()
    start = max(len(text) - END_CHARS, 0) if is_at_end else 0
    places = [at for at, _ in zip(gold_places(text, wanted, start=start), range(MOST_MARKS), strict=False)]
    return [Mark(at, at + len(wanted), "gold", "the gold") for at in places]
