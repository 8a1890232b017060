"""What holds for every test: fixed random examples, and real models one at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# As many workers as there are cores, so one thread each; threads that wait for one another cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No deadline: a busy machine is not a bug. The same examples in every run: a failure of CI is a failure here.
settings.register_profile("orz", deadline=None, derandomize=True)
settings.load_profile("orz")

_ONE_MODEL_AT_A_TIME = Path(tempfile.gettempdir()) / "orz-tests-real-model.lock"


@pytest.fixture(autouse=True, scope="module")
def environment_as_it_was() -> Iterator[None]:
    """No test module sees environment variables that another one, or a library that it called, has set."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests that load a real model wait for one another, whichever process they run in; waiting is not timed."""
    if item.get_closest_marker("real_model") is None:
        return (yield)
    with _ONE_MODEL_AT_A_TIME.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return (yield)
