"""Processor seconds of an app's server and of the page that a browser shows of it, for benchmarks of the app.

As the kernel counts them: the browser's own count of its tasks grows with what else runs on the machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Seconds:
    """Since the start of each process."""

    server: float
    page: float
    """Of the main threads of the browser's pages."""


class Processor:
    """The server that this process has started, and a browser."""

    def __init__(self, browser: Any) -> None:
        self._session = browser.new_browser_cdp_session()
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()
        (self._server,) = [pid for pid in children if b"streamlit" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def now(self) -> Seconds:
        """What was used so far."""
        fields = Path(f"/proc/{self._server}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        processes = self._session.send("SystemInfo.getProcessInfo")["processInfo"]
        pages = [int(one["id"]) for one in processes if one["type"] == "renderer"]
        return Seconds(sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"), sum(map(_main_thread_s, pages)))


def _main_thread_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="utf-8").split()[0]) / 1e9
