"""SIGINT, SIGTERM and SIGHUP end a command by an exception, once; a second one ends the process; nohup is respected."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from orz_bench.signals import Stopped, exit_code, hear_signals, stop_reason, stopped_by_signals
from tests.support.command_line import PROJECT

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("number", CODES)
def test_a_signal_is_an_exception_with_the_exit_code_of_a_shell(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in CODES}
    with pytest.raises(KeyboardInterrupt) as caught, stopped_by_signals():
        signal.raise_signal(number)
    assert isinstance(caught.value, Stopped)
    assert exit_code() == CODES[number]
    assert (
        str(caught.value)
        == stop_reason()
        == ("stopped by the user" if number == signal.SIGINT else f"stopped by {number.name}")
    )
    assert {each: signal.getsignal(each) for each in CODES} == before


def test_the_same_request_twice_is_one() -> None:
    """`timeout` and closing terminals signal a process and its group."""
    cleaned = []

    def stopped_twice() -> None:
        with stopped_by_signals():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
                cleaned.append("yes")

    with pytest.raises(Stopped):
        stopped_twice()
    assert cleaned == ["yes"]


def test_a_handler_that_a_library_installs_is_replaced() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stopped() -> None:
        with stopped_by_signals():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            hear_signals()
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        stopped()
    hear_signals()
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_ignored_stays_ignored_and_other_threads_change_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    seen = []

    def look() -> None:
        with stopped_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


SLOW_TO_END = """
    import signal, sys, time
    from orz_bench import signals
    signals._SAME_SIGNAL_S = 0.0
    with signals.stopped_by_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            time.sleep(0.01)
            signal.raise_signal(signal.SIGHUP)
            print("still here", flush=True)
"""


def test_a_second_request_ends_the_process_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SLOW_TO_END)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGHUP
    assert "still here" not in done.stdout


REPORTS = """
    import os, signal
    from orz_bench.terminal import reports_errors, command_line
    app = command_line("x", "y")

    @app.command()
    @reports_errors
    def run(number: int) -> None:
        print("working", flush=True)
        if number == signal.SIGHUP:
            os.close(2)  # the terminal is gone
        signal.raise_signal(number)

    app()
"""


@pytest.mark.parametrize("number", CODES)
def test_a_command_line_says_one_line_and_ends_with_the_code(number: signal.Signals) -> None:
    arguments = [sys.executable, "-c", textwrap.dedent(REPORTS), str(int(number))]
    done = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == CODES[number]
    if number != signal.SIGHUP:
        assert done.stderr == "stopped; completed work is saved. Run the same command to resume.\n"
