"""What a log says about a step, and what reads it: shared by those who follow a log and those who import it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Line:
    """What a log says about a step."""

    step: float
    """A whole number, except in tables of epochs."""
    values: Mapping[str, float]
    """By the tool's own names."""
    writer: str = ""
    """Which of several processes wrote it, where they write into one file: each counts its steps for itself."""
    is_side: bool = False
    """Whether it is only an evaluation, which may come late, or before the first step of a resumed training."""


class Log(Protocol):
    """One log, which may be several files."""

    @property
    def key(self) -> Path:
        """The same for two files of one log."""
        ...

    @property
    def kind(self) -> str:
        """The same for logs of one kind, of which each start of training may open a new one."""
        ...

    @property
    def is_rounded(self) -> bool:
        """Whether it has fewer digits than other logs of its tool, which then count where both name a metric."""
        ...

    @property
    def has_whole_steps(self) -> bool:
        """Whether one line has all that the training says about a step."""
        ...


class Parser(Protocol):
    """Reads a log's lines one after the other."""

    @property
    def ended(self) -> bool:
        """Whether the last lines say that training has ended."""
        ...

    def parse(self, text: str) -> Iterator[Line | str]:
        """What a line says: nothing, for most lines of a console. Texts are for the user."""
        ...

    def is_whole(self, text: str) -> bool:
        """Whether a line without an end is whole, as far as its format shows it."""
        ...
