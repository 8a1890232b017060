"""verl (read in 0.9.1): rollout and validation dumps, the rows of its `file` logger, console lines, TensorBoard.

Dumps are `{step}.jsonl` (trainer/ppo/ray_trainer.py, _write_generations), written by a thread beside the training, so
that a dump may come after the metrics of its step. The two folders have one shape: a folder with val, validation, eval
or test as a word of its name holds validations. How rows and lines are read: orz_bench/exchange/formats/verl.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from orz_bench.exchange.formats.verl import NEEDED, ConsoleParser, FileParser, is_validation, judge_of, sample_of
from orz_bench.records.foreign_metrics import same_metrics
from orz_bench.records.tables import parse_json
from orz_rl.backends.following.feeds import LogFeed, events_or_log, first_row
from orz_rl.backends.following.texts import whole_lines
from orz_rl.backends.following.tool import Dump, Feed, Row, row_of

METRICS = same_metrics("verl")
_DUMPED = re.compile(r"(\d{1,15})\.jsonl")


class VerlTool:
    """See the module."""

    name = "verl"
    signs = (
        "dumps `{step}.jsonl` with input, output and score; a JSON-lines file of rows step, data; a log with lines "
        "`step:N - name:value`"
    )
    dumped_by = ""
    overwritten_by = ""
    metrics = METRICS

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.suffix == ".jsonl":
            row = first_row(path)
            return LogFeed(path, FileParser(path)) if row and {"step", "data"} <= set(row) else None
        return events_or_log(path, ConsoleParser(), is_named=is_named)

    def dump(self, path: Path) -> Dump | None:
        """See Tool."""
        match = _DUMPED.fullmatch(path.name)
        row = first_row(path) if match else None
        if match is None or row is None or not row.keys() >= set(NEEDED):
            return None
        return Dump(path, int(match.group(1)), benchmark="validation" if is_validation(path.parent.name) else None)

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """See Tool."""
        found = [_parsed(line) for line in whole_lines(dump.path, is_last=is_last)]
        judge = judge_of(row for row in found if row is not None)
        for at, row in enumerate(found, start=1):
            yield f"line {at}", None if row is None else row_of(sample_of(row, number=at, judge=judge))


def _parsed(line: str) -> Row | None:
    try:
        row = parse_json(line, strict=False)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() >= set(NEEDED) and isinstance(row["output"], str) else None


TOOL = VerlTool()
