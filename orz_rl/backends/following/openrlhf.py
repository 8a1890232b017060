"""OpenRLHF (read in 0.11.2): TensorBoard's event files, and the trainer's log. It writes no rollouts.

How the log is read: orz_bench/exchange/formats/openrlhf.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orz_bench.exchange.formats.openrlhf import ConsoleParser
from orz_bench.records.foreign_metrics import same_metrics
from orz_rl.backends.following.feeds import events_or_log
from orz_rl.backends.following.tool import Dump, Feed, Row

METRICS = same_metrics("openrlhf")


class OpenRlhfTool:
    """See the module."""

    name = "openrlhf"
    signs = (
        "TensorBoard's files with train/policy_loss or train/rollout/..., or a log with lines `Global step N: {...}`"
    )
    dumped_by = ""
    overwritten_by = ""
    metrics = METRICS

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        return events_or_log(path, ConsoleParser(), is_named=is_named)

    def dump(self, path: Path) -> Dump | None:
        """None: it writes no rollouts."""
        return None

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """None: it writes no rollouts."""
        return iter(())


TOOL = OpenRlhfTool()
