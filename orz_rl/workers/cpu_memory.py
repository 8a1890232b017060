"""What a training process on a CPU does with memory that it has freed."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of two settings of glibc's mallopt()."""
_KEPT, _LARGEST = 1 << 30, 1 << 25
"""Bytes; glibc takes no larger value for the second."""


def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GiB of freed memory; returns whether it does.

    Every pack takes and frees the same tensors. Given back to the system in between, their pages have to be cleared
    again: 5 to 8 % of the CPU time of a step of a small model. Memory at its peak is the same.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return all([mallopt(_TRIM_THRESHOLD, _KEPT) == 1, mallopt(_MMAP_THRESHOLD, _LARGEST) == 1])
