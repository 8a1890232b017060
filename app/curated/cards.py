"""What is known about a set as a whole: its card, or the stages that an unfinished curation has done."""

from __future__ import annotations

from dataclasses import dataclass

from app.curated.sets import SetEntry
from orz_bench.errors import OrzError
from orz_bench.records.curated import WORK, Card, StageCount, checked_card, finished_stages


@dataclass(frozen=True, slots=True)
class Known:
    """Of a set."""

    card: Card | None
    """None for a set that is not complete."""
    stages: tuple[StageCount, ...]
    fault: str = ""
    """Why the card cannot be read."""


def known_of(entry: SetEntry) -> Known:
    """What the files say; a fault instead of an error, so that one damaged set does not hide the others."""
    try:
        if entry.state != "complete":
            return Known(None, tuple(finished_stages(entry.path / WORK)))
        card = checked_card(entry.path)
    except OrzError as error:
        return Known(None, (), str(error))
    return Known(card, tuple(card.stages))
