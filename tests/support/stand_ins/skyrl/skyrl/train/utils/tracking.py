"""A name that our entry point imports."""

from __future__ import annotations

from typing import Any


class Tracking:
    """Reports to nobody."""

    def __init__(self, **where: Any) -> None:
        self.where = where

    def log(self, data: dict[str, Any], step: int, commit: bool = False) -> None:
        """Nothing."""
