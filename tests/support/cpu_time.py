"""How long something takes, in CPU time: whatever else the machine does, a linear algorithm stays linear."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most_cpu_seconds(limit: float) -> Iterator[None]:
    """Fails where the block computes longer. Choose inputs for which the wrong algorithm needs a hundred times that."""
    start = time.thread_time()
    yield
    taken = time.thread_time() - start
    assert taken <= limit, f"took {taken:.1f} CPU seconds, wanted at most {limit:g}"
