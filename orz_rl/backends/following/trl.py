"""TRL (read in 1.16): completions as Parquet, trainer_state.json of the checkpoints, and the console.

`completions/completions_00012.parquet` (trainer/grpo_trainer.py, log) has the last batch of completions: with
logging_steps above 1 not all of them. An evaluation writes the file of its step anew with its own completions, so the
files of evaluated steps are left out. A step is one of the optimizer. trainer_state.json holds exact values, up to the
last checkpoint; the console has every logged step, with four digits; its step is that of the progress bar behind
it, for the one before may be some steps old.

Meanings: all are means over the steps since the last log. reward is the weighted sum of the reward functions;
completions/* count tokens, and clipped ones do not end with an end token; kl is the k3 estimate a token against the
reference; clip_ratio/region_mean is the share of tokens at which the clipped branch is taken; sampling_logp_difference
is |trainer - sampler| a token. learning_rate is read before the scheduler's step. Not the same, so kept under their
own names: loss (with the KL term), policy_loss (divided by the gradient accumulation), grad_norm (of the last
optimizer step only), completions/max_length (a mean of maxima), frac_reward_zero_std.
Rollouts: the reward is known where one column beside the advantage is a fraction: that of a single reward function,
whose weight is 1 by default; a verdict where a reward function whose name contains accuracy or correct gives 0 or 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orz_bench.errors import DataError
from orz_bench.records.tables import read_table
from orz_rl.backends.following.feeds import LOG_SUFFIXES, LogFeed, number, numbers, plain, whole_json, whole_step
from orz_rl.backends.following.openrlhf import python_dict
from orz_rl.backends.following.texts import NotCompleteError, Stamp, messages_text, stamp_of, text_of
from orz_rl.backends.following.tool import Dump, Feed, Line, Row, zero_or_one

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "reward": "reward/mean",
        "completions/mean_length": "response/length_mean",
        "completion_length": "response/length_mean",
        "completions/clipped_ratio": "response/clip_rate",
        "entropy": "policy/entropy",
        "kl": "kl/reference",
        "clip_ratio/region_mean": "policy/clip_fraction",
        "learning_rate": "policy/lr",
        "sampling/sampling_logp_difference/mean": "mismatch/logprob_abs_mean",
        "step_time": "time/step",
    }
)
_COMPLETIONS = re.compile(r"completions_(\d{1,15})\.parquet")
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})")
_BAR = re.compile(r"\d+%\|[^|]*\|\s*(\d{1,15})/\d+ \[")
_VERDICT = re.compile(r"accura|correct", re.IGNORECASE)
_GOLDS = ("gold", "answer", "ground_truth", "golden_answer", "solution")
_OWN = {"step", "prompt", "completion", "advantage"}
_NOT_METRICS = {"step", "epoch", "total_flos"}
EVALUATION = "eval_"


def _line(entry: Mapping[str, Any], step: int) -> Line:
    values = {name: value for name, value in numbers(entry).items() if name not in _NOT_METRICS}
    return Line(step, values, is_side=any(name.startswith(EVALUATION) for name in values))


def _is_summary(entry: Mapping[str, Any]) -> bool:
    return "train_runtime" in entry


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
        found = [path for path in self.key.glob("*/trainer_state.json") if _CHECKPOINT.fullmatch(path.parent.name)]
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
        self.ended = _is_summary(history[-1])
        for entry in history[num_same:]:
            step = whole_step(entry.get("step"))
            if step is not None and not _is_summary(entry):
                yield _line(entry, step)


@dataclass
class ConsoleParser:
    """Dictionaries as Python prints them. The progress bar is drawn again behind each: that one has its step."""

    path: Path
    ended: bool = False
    _waiting: list[dict[str, Any]] = field(default_factory=list, init=False)

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        text = plain(text).strip()
        if match := _BAR.match(text):
            yield from (_line(entry, int(match.group(1))) for entry in self._waiting)
            self._waiting.clear()
        elif text.startswith("{'") and (entry := python_dict(text)) is not None:
            yield from self._take(entry)

    def _take(self, entry: dict[str, Any]) -> Iterator[str]:
        self.ended = _is_summary(entry)
        if self.ended or not {"loss", "reward", "epoch"} & set(entry):
            return
        if self._waiting:
            yield f"{self.path}: has metrics without a progress bar that would tell their step; they are left out"
        self._waiting = [entry]

    def is_whole(self, text: str) -> bool:
        """See Parser: a progress bar has no end until the next is drawn."""
        return text.endswith("]") and _BAR.match(text.strip()) is not None


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
    tags: frozenset[str] = frozenset()

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name == "trainer_state.json":
            parent = path.parent
            return StateFeed(parent.parent if _CHECKPOINT.fullmatch(parent.name) else parent)
        if is_named or path.suffix in LOG_SUFFIXES:
            return LogFeed(path, ConsoleParser(path), is_rounded=True)
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
        for place, row in found:
            yield place, _rollout(row) if row.get("completion") is not None else None


def _rollout(row: Row) -> Row:
    others = {name: value for name, value in row.items() if name not in _OWN}
    scores = {name: value for name, value in others.items() if isinstance(value, float)}
    gold = next((name for name in _GOLDS if isinstance(others.get(name), str)), None)
    stated = [(name, zero_or_one(value)) for name, value in scores.items() if _VERDICT.search(name)]
    name, verdict = stated[0] if len(stated) == 1 else ("", None)
    return {
        "question": _question(row.get("prompt")),
        "prompt": messages_text(row.get("prompt")),
        "gold": others.get(gold) if gold else None,
        "completion": messages_text(row["completion"]),
        "reward": number(next(iter(scores.values()))) if len(scores) == 1 else None,
        "advantage": number(row.get("advantage")),
        "verdict": verdict,
        "why": f"{name} in TRL's completions" if verdict else None,
        "extra": {name: value for name, value in others.items() if name != gold and value is not None},
    }


def _question(prompt: Any) -> str | None:
    """What the last user says, or the whole text."""
    if isinstance(prompt, list):
        users = [one for one in prompt if isinstance(one, Mapping) and one.get("role") == "user"]
        return messages_text(users[-1:]) if users else messages_text(prompt)
    return text_of(prompt)


TOOL = TrlTool()
