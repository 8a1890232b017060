"""The declaration that each format module makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs.line import Line, Parser

Curve = Mapping[str, Any]
"""One row of a table of curves: a step and numbers by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file of a tool's log, whose steps are known: see orz_bench.exchange.logs.line.Log."""

    lines: Callable[[], Iterator[Line | str]]
    """In order; texts are for the user."""
    key: Path
    kind: str
    is_rounded: bool = False
    has_whole_steps: bool = True
    is_of_one_training: bool = True
    """Whether later files of its key continue it, as a tool's own logs do; a table says nothing about that."""


def log_of(head: Head, parser: Callable[[], Parser], *, is_rounded: bool = False) -> LogFile:
    """A text as a log. Its last line is left out where it has no end and may be cut."""
    return LogFile(
        lines=lambda: _lines(head, parser()), key=head.path, kind=parser().__class__.__name__, is_rounded=is_rounded
    )


def _lines(head: Head, parser: Parser) -> Iterator[Line | str]:
    before: str | None = None
    for text in head.lines():
        if before is not None:
            yield from parser.parse(before)
        before = text
    if before and not head.ends_with_line and not parser.is_whole(before):
        is_said = any(isinstance(one, Line) for one in parser.parse(before))
        if is_said:
            yield "the last line has no end, so its numbers may be cut: it is left out"
    elif before is not None:
        yield from parser.parse(before)


def speaks(head: Head, parser: Callable[[], Parser]) -> bool:
    """Whether a text has a line that the parser understands."""
    one = parser()
    return any(isinstance(said, Line) for text in head.lines() for said in one.parse(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure of a summary without answers."""

    benchmark: str
    metric: str
    value: float
    num: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file is: samples, curves, or scores without answers."""

    what: str
    """For people, with a count where it is cheap: `an inspect log of 10 samples of mmlu`."""
    kind: Literal["samples", "curves", "scores", "nothing"]
    samples: Callable[[], Iterator[ForeignSample]] | None = None
    curves: Callable[[], Iterator[Curve]] | None = None
    """Rows of a table, in which the step is a column."""
    step_column: str | None = None
    """The column with the step, where the file says which."""
    log: LogFile | None = None
    """Curves whose steps are known."""
    scores: tuple[Score, ...] = ()
    tool: str = ""
    """In a format that every trainer writes: the one whose metrics these are, where its names show it."""
    trains: bool = False
    """Whether the samples are of training, not of an evaluation."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers has to know."""
    instead: str = ""
    """Where nothing can be taken from it: the file to name instead."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the file says about the whole: model, sampling settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The files of one tool."""

    name: str
    """As in --from."""
    title: str
    """The tool's name, for people."""
    read: Callable[[Head], Contents | None]
    """What the file is; None where it is no file of this tool."""
