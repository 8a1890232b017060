"""TRL (read in 1.16): completions as Parquet, trainer_state.json of the checkpoints, and the console.

`completions/completions_00012.parquet` (trainer/grpo_trainer.py, log) has the last batch of completions: with
logging_steps above 1 not all of them. An evaluation writes the file of its step anew with its own completions, so the
files of evaluated steps are left out. A step is one of the optimizer; all metrics are means over the steps since the
last log. How rows and lines are read: orz_bench/exchange/formats/trl.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orz_bench.errors import DataError
from orz_bench.exchange.formats.trl import (
    CHECKPOINT,
    EVALUATION,
    Columns,
    ConsoleParser,
    history_lines,
    is_summary,
    sample_of,
    training_folder,
)
from orz_bench.exchange.logs.line import Line
from orz_bench.records.foreign_metrics import same_metrics
from orz_bench.records.tables import read_table
from orz_rl.backends.following.feeds import LOG_SUFFIXES, LogFeed, whole_json
from orz_rl.backends.following.texts import NotCompleteError, Stamp, stamp_of
from orz_rl.backends.following.tool import Dump, Feed, Row, row_of

METRICS = same_metrics("trl")
_COMPLETIONS = re.compile(r"completions_(\d{1,15})\.parquet")


class StateFeed:
    """The log_history of the checkpoints' trainer_state.json, and of the folder's own at the end."""

    def __init__(self, folder: Path) -> None:
        self.key, self.kind, self.is_rounded, self.has_whole_steps = folder, "state", False, True
        self.ended = False
        self._stamps: dict[Path, Stamp] = {}
        self._history: list[dict[str, Any]] = []

    def poll(self, *, is_last: bool) -> Iterator[Line | str]:
        """See Feed."""
        for path in self._files():
            stamp = stamp_of(path)
            if stamp is None or self._stamps.get(path) == stamp:
                continue
            state = whole_json(path)
            if state is None or not isinstance(state.get("log_history"), list):
                if is_last:
                    yield f"{path}: is not a whole state of a trainer; it is left out"
                continue
            self._stamps[path] = stamp
            yield from self._news([entry for entry in state["log_history"] if isinstance(entry, dict)])

    def close(self) -> None:
        """Nothing stays open."""

    def _files(self) -> list[Path]:
        """The oldest first, for a checkpoint of a resumed training may have a lower step than one before it."""
        found = [path for path in self.key.glob("*/trainer_state.json") if CHECKPOINT.fullmatch(path.parent.name)]
        numbered = [
            (stamp[1], int(path.parent.name.rpartition("-")[2]), path) for path in found if (stamp := stamp_of(path))
        ]
        own = self.key / "trainer_state.json"
        return [path for _, _, path in sorted(numbered)] + ([own] if own.exists() else [])

    def _news(self, history: list[dict[str, Any]]) -> Iterator[Line]:
        num_same = 0
        for old, new in zip(self._history, history, strict=False):
            if old != new:
                break
            num_same += 1
        if num_same == len(history):
            return  # the state of an earlier checkpoint
        self._history = history
        self.ended = is_summary(history[-1])
        yield from history_lines(history[num_same:])


class TrlTool:
    """See the module."""

    name = "trl"
    signs = (
        "completions/completions_*.parquet, trainer_state.json of checkpoints, or a log with progress bars and lines "
        "`{'loss': ...}`"
    )
    dumped_by = ""
    overwritten_by = EVALUATION
    metrics = METRICS

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name == "trainer_state.json":
            return StateFeed(training_folder(path))
        if is_named or path.suffix in LOG_SUFFIXES:
            return LogFeed(path, ConsoleParser(), is_rounded=True)
        return None

    def dump(self, path: Path) -> Dump | None:
        """See Tool."""
        match = _COMPLETIONS.fullmatch(path.name)
        return Dump(path, int(match.group(1))) if match else None

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """See Tool."""
        try:
            found = list(read_table(dump.path, strict=False))
        except DataError as error:
            raise NotCompleteError(str(error).rstrip(".")) from error
        columns = Columns.of([row for _, row in found])
        for number, (place, row) in enumerate(found, start=1):
            has_text = row.get("completion") is not None
            yield place, row_of(sample_of(row, columns, number=number)) if has_text else None


TOOL = TrlTool()
