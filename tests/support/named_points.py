"""Ending a process at a named point: before or after a call of a function, counted from the process's start."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """The `at`th call of `function` of `place`, a module or `module:Class`."""

    place: str
    function: str
    at: int
    is_after: bool = False
    is_counted: Callable[..., bool] | None = None
    """Of a call's arguments: whether it counts. None counts every call."""


def kill_at(point: Point) -> Callable[[], None]:
    """What a process has to run first; it then kills itself when it reaches the point."""
    return partial(arm, point, partial(send_to_this_process, signal.SIGKILL))


def arm(point: Point, act: Callable[[], None]) -> None:
    """Let `act` be called at that point of this process."""
    module, _, owner = point.place.partition(":")
    holder: Any = __import__(module, fromlist=["x"])
    holder = getattr(holder, owner) if owner else holder
    original, calls = getattr(holder, point.function), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if point.is_counted is None or point.is_counted(*args, **kwargs):
            calls.append(1)
            is_here = len(calls) == point.at
        else:
            is_here = False
        if is_here and not point.is_after:
            act()
        result = original(*args, **kwargs)
        if is_here and point.is_after:
            act()
        return result

    setattr(holder, point.function, wrapped)


def send_to_this_process(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
