"""verl (read in 0.9.1): rollout and validation dumps, the rows of its `file` logger, console lines, TensorBoard.

Dumps are `{step}.jsonl` (trainer/ppo/ray_trainer.py, _write_generations), written by a thread beside the training, so
that a dump may come after the metrics of its step. The two folders have one shape: a folder with val, validation, eval
or test as a word of its name holds validations. A verdict is stated by `acc`, or by `score` in a file where it is 0
and 1 and nothing else.

Meanings (trainer/ppo/metric_utils.py, compute_data_metrics, unless noted): critic/score is the sum of the rule's
reward without the KL penalty, over responses that are not empty; response_length/clip_ratio is the share of responses
as long as the limit; perf/total_num_tokens has prompts and responses; rollout_corr/k3_kl is E[r - log r - 1] with r =
trainer / sampler (rollout_corr_helper.py); timing_s/update_weights is the transfer to the engines; actor/pg_loss,
actor/pg_clipfrac, critic/vf_loss (with its half) and critic/vf_clipfrac are means over the micro-batches of the step's
updates (workers/utils/losses.py), the gradient norms are those before clipping. Not the same, so kept under their own
names: actor/entropy (averaged as the loss is: over tokens only with loss_agg_mode=token-mean), actor/lr and critic/lr
(read after the scheduler's step, so of the next step: workers/engine_workers.py), critic/rewards (with the KL
penalty), critic/advantages (after whitening), actor/kl_loss (before its coefficient, by its own average),
actor/reward_kl_penalty (k1 by default), timing_s/gen (without grading).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orz_bench.records.foreign import ALIASES
from orz_bench.records.tables import parse_json
from orz_rl.backends.following.feeds import (
    LOG_SUFFIXES,
    EventsFeed,
    LogFeed,
    first_row,
    json_row,
    number,
    numbers,
    plain,
    whole_step,
)
from orz_rl.backends.following.texts import text_of, whole_lines
from orz_rl.backends.following.tool import Dump, Feed, Line, Row, zero_or_one

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "critic/score/mean": "reward/mean",
        "response_length/mean": "response/length_mean",
        "response_length/max": "response/length_max",
        "response_length/clip_ratio": "response/clip_rate",
        "prompt_length/mean": "response/prompt_length_mean",
        "actor/pg_loss": "policy/loss",
        "actor/pg_clipfrac": "policy/clip_fraction",
        "actor/grad_norm": "policy/grad_norm",
        "critic/vf_loss": "critic/loss",
        "critic/vf_clipfrac": "critic/clip_fraction",
        "critic/grad_norm": "critic/grad_norm",
        "critic/values/mean": "critic/value_mean",
        "critic/vf_explained_var": "critic/explained_variance",
        "rollout_corr/k3_kl": "mismatch/kl",
        "perf/total_num_tokens": "tokens/total",
        "perf/time_per_step": "time/step",
        "timing_s/update_weights": "time/sync",
    }
)
_STEP = re.compile(r"(?:^|\s)step:(\d{1,15}) - (.*)")
_END = "Final validation metrics:"
_DUMPED = re.compile(r"(\d{1,15})\.jsonl")
_VALIDATION = re.compile(r"(?<![a-z])(val|valid|validation|eval|evaluation|test)(?![a-z])", re.IGNORECASE)
_NEEDED = {"input", "output", "score"}


def _line(step: int, values: Mapping[str, Any]) -> Line:
    found = numbers(values)
    return Line(step, found, is_side=all(name.startswith(("val-", "val/")) for name in found))


@dataclass
class ConsoleParser:
    """Lines `step:12 - name:value - name:value`, behind colours and Ray's prefix."""

    ended: bool = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        if _END in text:
            self.ended = True
        if "step:" not in text:
            return
        if match := _STEP.search(plain(text)):
            self.ended = False
            pairs = (pair.rpartition(":") for pair in match.group(2).split(" - "))
            yield _line(int(match.group(1)), {name: value for name, _, value in pairs})

    def is_whole(self, text: str) -> bool:
        """See Parser: a number may go on."""
        return False


@dataclass
class FileParser:
    """Rows of the `file` logger: {"step": 12, "data": {name: value}}."""

    path: Path
    ended = False
    _faults: int = field(default=0, init=False)

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        row = json_row(text)
        step = whole_step(row.get("step")) if row else None
        if row is None or step is None or not isinstance(row.get("data"), dict):
            yield f"{self.path}: a line is not a row of verl's file logger; it is left out: {text[:80]!r}"
            return
        yield _line(step, row["data"])

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return text.endswith("}") and json_row(text) is not None


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
    tags = frozenset(METRICS)

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name.startswith("events.out.tfevents."):
            return EventsFeed(path.parent)
        if path.suffix == ".jsonl":
            row = first_row(path)
            return LogFeed(path, FileParser(path)) if row and {"step", "data"} <= set(row) else None
        return LogFeed(path, ConsoleParser()) if is_named or path.suffix in LOG_SUFFIXES else None

    def dump(self, path: Path) -> Dump | None:
        """See Tool."""
        match = _DUMPED.fullmatch(path.name)
        row = first_row(path) if match else None
        if match is None or row is None or not set(row) >= _NEEDED:
            return None
        is_validation = _VALIDATION.search(path.parent.name) is not None
        return Dump(path, int(match.group(1)), benchmark="validation" if is_validation else None)

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """See Tool."""
        found = [_parsed(line) for line in whole_lines(dump.path, is_last=is_last)]
        scores = {row["score"] for row in found if row is not None and isinstance(row["score"], int | float)}
        for at, row in enumerate(found, start=1):
            yield f"line {at}", None if row is None else _rollout(row, is_binary=scores == {0, 1})


def _parsed(line: str) -> Row | None:
    try:
        row = parse_json(line, strict=False)
    except ValueError:
        return None
    return row if isinstance(row, dict) and set(row) >= _NEEDED and isinstance(row["output"], str) else None


_USED = {"input", "output", "gts", "score", "step", "pred", "data_source"}


def _rollout(row: Row, *, is_binary: bool) -> Row:
    verdict, why = zero_or_one(row.get("acc")), "acc in verl's dump"
    if row.get("acc") is None and is_binary:
        verdict, why = zero_or_one(row["score"]), "score in verl's dump, where all are 0 or 1"
    source = next((row[name] for name in ALIASES["benchmark"] if isinstance(row.get(name), str)), None)
    return {
        "benchmark": source,
        "question": text_of(row["input"]),
        "prompt": text_of(row["input"]),
        "gold": text_of(row.get("gts")),
        "completion": row["output"],
        "reward": number(row["score"]),
        "verdict": verdict,
        "why": why if verdict else None,
        "extracted": row["pred"] if isinstance(row.get("pred"), str) else None,
        "extra": {name: value for name, value in row.items() if name not in _USED and value is not None},
    }


TOOL = VerlTool()
