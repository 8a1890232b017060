"""OpenRLHF (read in 0.11.2): TensorBoard's event files, and the trainer's log. It writes no rollouts.

The log has `Global step 12: {...}` (trainer/ppo_trainer.py), and evaluations as `Eval at step 12: {...}` or
`Evaluation completed in ..., global_step 12, eval_metrics: {...}`. It has no mark at its end.

Meanings: rollout/* are taken over all responses before batches are formed (_compute_rollout_stats), truncated ones are
those cut by the limit; ppo_clip_ratio is the share of tokens at which the clipped branch is less (models/loss.py), a
mean over the step's updates by tokens (trainer/ray/ppo_actor.py); timing/broadcast is the transfer to the engines,
timing/ppo_train the updates of both models, timing/make_experience the values and log-probabilities. Not the same, so
kept under their own names: policy_loss and critic_loss (averages of sums that are already divided by the tokens of an
optimizer step), actor_lr (read after the scheduler's step, so of the next step) and critic_lr (a mean), kl (its
estimator is a setting), actor_grad_norm (the last update's only), entropy_loss (averaged as the loss is), values
(during the updates), reward and response_length (after batches were balanced), timing/generation (without grading).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orz_rl.backends.following.feeds import LOG_SUFFIXES, EventsFeed, LogFeed, numbers, plain
from orz_rl.backends.following.tool import Dump, Feed, Line, Row

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "train/rollout/reward_mean": "reward/mean",
        "train/rollout/response_length_mean": "response/length_mean",
        "train/rollout/truncated_rate": "response/clip_rate",
        "train/ppo_clip_ratio": "policy/clip_fraction",
        "train/timing/step_total": "time/step",
        "train/timing/make_experience": "time/score",
        "train/timing/ppo_train": "time/update",
        "train/timing/broadcast": "time/sync",
    }
)
_TRAIN = re.compile(r"Global step (\d{1,15}): (\{.*\})")
_EVAL = re.compile(r"(?:Eval at step (\d{1,15}):|global_step (\d{1,15}), eval_metrics:) (\{.*\})")
_WRAPPED = re.compile(r"\b(?:np|numpy)\.\w+\(([^()]*)\)|\btensor\(([^,()]*)[^()]*\)")
_NOT_A_NUMBER = re.compile(r"(?<=[ ,:])-?(?:nan|inf)\b")


@dataclass
class ConsoleParser:
    """Lines of the trainer's log."""

    ended = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        if "lobal step " not in text and "step " not in text:
            return
        text = plain(text)
        if match := _TRAIN.search(text):
            yield from _line(match.group(1), match.group(2), prefix="train")
        elif match := _EVAL.search(text):
            yield from _line(match.group(1) or match.group(2), match.group(3), prefix="eval")

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return text.endswith("}") and (_TRAIN.search(text) or _EVAL.search(text)) is not None


def _line(step: str, text: str, *, prefix: str) -> Iterator[Line]:
    values = python_dict(text)
    if values is not None:
        named = {f"{prefix}/{name}": value for name, value in numbers(values).items()}
        yield Line(int(step), named, is_side=prefix == "eval")


def python_dict(text: str) -> dict[str, Any] | None:
    """A dictionary as Python prints it; None for anything else. Numbers of numpy and torch are plain ones."""
    unwrapped = _WRAPPED.sub(lambda match: match.group(1) or match.group(2) or "None", text)
    try:
        value = ast.literal_eval(_NOT_A_NUMBER.sub("None", unwrapped))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class OpenRlhfTool:
    """See the module."""

    name = "openrlhf"
    signs = (
        "TensorBoard's files with train/policy_loss or train/rollout/..., or a log with lines `Global step N: {...}`"
    )
    dumped_by = ""
    overwritten_by = ""
    metrics = METRICS
    tags = frozenset(METRICS) | {"train/policy_loss", "train/actor_lr"}

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name.startswith("events.out.tfevents."):
            return EventsFeed(path.parent)
        return LogFeed(path, ConsoleParser()) if is_named or path.suffix in LOG_SUFFIXES else None

    def dump(self, path: Path) -> Dump | None:
        """None: it writes no rollouts."""
        return None

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """None: it writes no rollouts."""
        return iter(())


TOOL = OpenRlhfTool()
