"""SIGTERM (schedulers, containers) and SIGHUP (a closed session) end a command as Ctrl-C does, by an exception, so that
finished work is saved and the run is marked. A second signal ends the process at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_SIGNAL_S = 1.0
"""`timeout`, shells and schedulers send a signal to a process and to its group: one request may arrive twice."""


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end. As a KeyboardInterrupt it passes every `except Exception`."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(_words(number))


class _Requests:
    """The signal handler and its state."""

    def __init__(self) -> None:
        self.heard: tuple[signal.Signals, ...] = ()
        self.first: signal.Signals | None = None
        self.first_at = 0.0

    def take(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.first_at = signal.Signals(number), now
            raise Stopped(self.first)
        if now - self.first_at > _SAME_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_REQUESTS = _Requests()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """While this lasts, SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread.

    A signal that was ignored before stays ignored (nohup); in any other thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _STOPPING}
    _REQUESTS.heard = tuple(number for number in _STOPPING if before[number] not in (signal.SIG_IGN, None))
    _REQUESTS.first = None
    hear_signals()
    try:
        yield
    finally:
        for number in _REQUESTS.heard:
            signal.signal(number, before[number])
        _REQUESTS.heard = ()


def hear_signals() -> None:
    """Install our handlers again after a library (Ray) has replaced them."""
    if threading.current_thread() is threading.main_thread():
        for number in _REQUESTS.heard:
            signal.signal(number, _REQUESTS.take)


def leave_signals_to_parent() -> None:
    """Ignore the signals in a helper process, which ends with its parent: a signal to the group must not end it."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def stop_signal() -> signal.Signals:
    """The signal that asked this process to end; SIGINT if it was not one of ours, as for any KeyboardInterrupt.

    The exception does not carry it: some libraries (Ray) catch Stopped and raise a KeyboardInterrupt of their own.
    """
    return _REQUESTS.first or signal.SIGINT


def was_stopped() -> bool:
    """True if a signal asked this process to end."""
    return _REQUESTS.first is not None


def stop_reason() -> str:
    """Text of the FAILED file of a run that a signal ended."""
    return _words(stop_signal())


def exit_code() -> int:
    """Exit code after a signal, as shells expect it: 130, 143 or 129."""
    return 128 + stop_signal()


def _words(number: signal.Signals) -> str:
    return "stopped by the user" if number == signal.SIGINT else f"stopped by {number.name}"
