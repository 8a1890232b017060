"""What holds for every test: fixed random examples, one thread a process, and the order of tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

# As many workers as there are cores, so one thread each; threads that wait for one another cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from orz_bench.environment import set_library_defaults
from tests.support.command_line import PROJECT
from tests.support.schedule import LongestFirst, shuffle, sort

BROWSER = PROJECT / "tests" / "browser"

set_library_defaults()  # before a test imports torch, as every command does: torch and vLLM read them only then

gc.disable()  # until the tests are collected: imports make no garbage worth a search

# A shell that starts pytest in the background, and nohup, have it ignore signals that tests send.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)

# No deadline: a busy machine is not a bug. The same examples in every run: a failure of CI is a failure here.
settings.register_profile("orz", deadline=None, derandomize=True)
settings.load_profile("orz")


@pytest.fixture(autouse=True, scope="module")
def environment_as_it_was() -> Iterator[None]:
    """No test module sees environment variables that another one, or a library that it called, has set."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def imports_are_no_garbage() -> Iterator[None]:
    """What a test module has imported is left out of the searches for garbage after it."""
    yield
    freeze_what_was_imported()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """The last lines say what was not run, and why; a reason says how to have what is missing."""
    yield
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    reasons = Counter(str(longrepr[2]).removeprefix("Skipped: ") for longrepr in skipped)
    if reasons:
        terminalreporter.section(f"{len(skipped)} tests were not run")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} not run: {reason}")
    if config.option.markexpr == "not slow":
        terminalreporter.line("not run: slow tests (browsers, clusters, whole trainings); `make test-slow` runs them")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order-seed", type=int, default=None, help="run files, and tests within files, in random order")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker(pytest.mark.slow)
    if (seed := config.getoption("--order-seed")) is not None:
        shuffle(items, seed)
    else:
        sort(items)


def pytest_collection_finish() -> None:
    freeze_what_was_imported()
    gc.enable()


_frozen: set[str] = set()
"""Modules that were there when objects were last frozen."""


def freeze_what_was_imported() -> None:
    """Collections of garbage look through what tests make, not through all that was imported, also by a test.

    In a process that has torch, vLLM and DeepSpeed a single one takes two seconds, in the middle of some test.
    """
    if len(sys.modules.keys() - _frozen) < 200:
        return
    gc.collect()
    gc.freeze()
    _frozen.update(sys.modules)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LongestFirst | None:
    return LongestFirst(config, log) if config.getoption("dist") == "loadfile" else None
