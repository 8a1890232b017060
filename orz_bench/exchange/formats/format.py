"""The declaration that each format module makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample

Curve = Mapping[str, Any]
"""One row of a curve: `step` and numbers by name."""


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
    scores: tuple[Score, ...] = ()
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
