"""The rollouts behind a health warning of training, as filters of the page Rollouts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.queries.filters import Filters

MOST_STEPS = 20
"""Of a warning that has lasted longer, the last ones."""
_SINCE = re.compile(r"since step (\d{1,9})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWarning:
    """One warning in events.jsonl."""

    step: int
    """At which it was given."""
    since: int
    """From which step on the condition held."""
    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Which rollouts make up a sign."""

    title: str
    filters: Mapping[str, Any]
    is_exact: bool = True
    """Whether these rollouts are what is counted; else they are those to look at first."""


_CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        "clip_rate": Cause("truncated", {"stop_reasons": ("length",)}),
        "grading_timeouts": Cause("not graded in time", {"verdicts": ("timeout",)}),
        "format": Cause("without an answer", {"verdicts": ("no_answer", "unparseable")}),
        "repetition": Cause("most repetitive first", {"order": "repetition", "descending": True}, is_exact=False),
        "length": Cause("shortest first", {"order": "tokens"}, is_exact=False),
        "reward": Cause("lowest reward first", {"order": "reward"}, is_exact=False),
        "no_signal": Cause("by correct samples in the group", {"order": "group"}, is_exact=False),
        "entropy": Cause("of these steps", {}, is_exact=False),
        "entropy_explosion": Cause("longest first", {"order": "tokens", "descending": True}, is_exact=False),
    }
)
"""By sign; signs of gradients, the critic or the engine come from whole steps, not from single rollouts."""


def warning_of(event: Mapping[str, Any]) -> HealthWarning:
    """An event `warning`; one without a step, or damaged, is of step 0."""
    step, text = event.get("step"), str(event.get("text", ""))
    at = step if isinstance(step, int) and not isinstance(step, bool) else 0
    found = _SINCE.search(text)
    since = min(int(found[1]), at) if found else at
    return HealthWarning(step=at, since=since, sign=str(event.get("sign") or ""), text=text)


def cause_of(warning: HealthWarning) -> Cause:
    """What to look at."""
    return _CAUSES.get(warning.sign, Cause("of these steps", {}, is_exact=False))


def filters_of(warning: HealthWarning, steps: Sequence[int]) -> Filters:
    """The filters that show these rollouts; `steps` are the steps of which there are rollouts."""
    lasted = [step for step in steps if warning.since <= step <= warning.step][-MOST_STEPS:]
    return Filters(kind="train", step=tuple(lasted) or (warning.step,), **cause_of(warning).filters)
