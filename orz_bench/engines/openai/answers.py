"""Read one answer of a completions endpoint, and classify what can go wrong with a request.

No assumption is made about the form of an answer: anything unexpected becomes a BadAnswerError that names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import openai

from orz_bench.engines.engine import StopStrings
from orz_bench.engines.settings import MOST
from orz_bench.records.rollout import StopReason

Trouble = Literal["connection", "limited", "busy", "odd", "refused", "denied", "missing", "unclear_stop", "spent"]
RETRIED: tuple[Trouble, ...] = ("connection", "limited", "busy", "odd")
FATAL: tuple[Trouble, ...] = ("denied", "missing", "unclear_stop", "spent")
"""Errors that the next request would get too."""
_LIMITED = (429, 503, 529)
"""The server has no room for more requests now, whatever they are."""
_BUSY = (408, 409, 425)
_SPENT = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance", "insufficient balance")
"""Codes and messages of a 429 that no waiting ends."""
_LONGEST_WAIT_S = 600.0
"""A server that asks for more is not waited for."""
_SHOWN_CHARS = 120
_ENDED = {"stop": "stop", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "length": "length"}
_NAMES_OF_MATCH = ("stop_reason", "matched_stop", "stopping_word")
"""Fields that name the stop string that ended a text: vLLM, SGLang, llama.cpp."""


class BadAnswerError(Exception):
    """One request without a usable answer."""

    def __init__(self, why: str, trouble: Trouble, *, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why, self.trouble, self.wait_s = why, trouble, wait_s
        """wait_s: the delay that the server asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A usable answer."""

    text: str
    num_tokens: int
    num_prompt_tokens: int | None
    stop_reason: StopReason
    model: str | None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """For the row: JSON values only."""


def trouble_of(error: Exception) -> BadAnswerError:
    """Classify the client's exception."""
    if isinstance(error, openai.APITimeoutError):
        return BadAnswerError("no answer in time (--request-timeout)", "connection")
    if isinstance(error, openai.APIConnectionError):
        return BadAnswerError(f"no connection ({shortened(str(error.__cause__ or error))})", "connection")
    if isinstance(error, openai.APIStatusError):
        return _status(error)
    return BadAnswerError(f"{type(error).__name__}: {shortened(str(error))}", "odd")


def _status(error: openai.APIStatusError) -> BadAnswerError:
    status = error.status_code
    content = _parsed(error.response.text)
    why = f"HTTP {status} ({shortened(_message(content) or error.response.text or 'no text')})"
    if status in (401, 403):
        return BadAnswerError(why, "denied")
    if status == 404 or 300 <= status < 400:
        return BadAnswerError(why, "missing")
    if status == 402 or (status == 429 and any(word in json.dumps(content).lower() for word in _SPENT)):
        return BadAnswerError(why, "spent")
    if status in (*_LIMITED, *_BUSY) or status >= 500:
        wait_s = _wait(error.response.headers)
        if wait_s is not None and wait_s > _LONGEST_WAIT_S:
            return BadAnswerError(f"{why}; the server asks to wait {wait_s:,.0f} s", "spent")
        return BadAnswerError(why, "limited" if status in _LIMITED else "busy", wait_s=wait_s)
    return BadAnswerError(why, "refused")


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: a number, or the time until a date."""
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            wait_s = float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
        if math.isfinite(wait_s):
            return max(0.0, wait_s)
    try:
        until = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def read_object(text: str) -> dict[str, Any]:
    """The JSON object of a body. BadAnswerError for anything else, including an error with status 200."""
    content = _parsed(text)
    if not isinstance(content, dict):
        what = "not JSON" if content is None else f"a JSON {type(content).__name__}"
        raise BadAnswerError(f"the answer is {what} and begins {shortened(text)!r}", "odd")
    if content.get("error"):
        raise BadAnswerError(f"the answer is an error: {shortened(_message(content) or '')}", "odd")
    return content


def read_answer(text: str, *, stop: Sequence[str], stop_strings: StopStrings) -> Answer:
    """The first choice. BadAnswerError if it is not a complete answer, or if it is unknown how it ended."""
    content = read_object(text)
    choice = read_choice(content)
    written, reason = _ending(choice, stop=stop, stop_strings=stop_strings)
    model = content.get("model")
    return Answer(
        text=written,
        num_tokens=new_tokens_of(content),
        num_prompt_tokens=count_of(content["usage"], "prompt_tokens"),
        stop_reason=reason,
        model=model if isinstance(model, str) and model else None,
    )


def read_choice(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice of an answer. BadAnswerError if it has no text, or no count of its tokens."""
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise BadAnswerError(f"the answer has no choice (keys: {shortened(', '.join(content))})", "odd")
    if not isinstance(choice.get("text"), str):
        raise BadAnswerError(f"the choice's text is {type(choice.get('text')).__name__}, wanted a string", "odd")
    new_tokens_of(content)
    return choice


def named_match(choice: Mapping[str, Any], stop: Sequence[str]) -> str | None:
    """The stop string that ended the text, if the server names it."""
    found = (choice.get(name) for name in _NAMES_OF_MATCH)
    return next((value for value in found if isinstance(value, str) and value in stop), None)


def ended_as(choice: Mapping[str, Any]) -> str:
    """`stop` or `length`. BadAnswerError for an answer that was not finished."""
    finish = choice.get("finish_reason")
    ended = _ENDED.get(finish) if isinstance(finish, str) else None
    if ended is None:
        raise BadAnswerError(f"the answer was not finished (finish_reason {json.dumps(finish)})", "odd")
    return ended


def _ending(choice: Mapping[str, Any], *, stop: Sequence[str], stop_strings: StopStrings) -> tuple[str, StopReason]:
    """(the text up to the end of its first stop string, the stop reason)."""
    text, ended = choice["text"], ended_as(choice)
    ends = [text.find(string) + len(string) for string in stop if string in text]
    if ends:
        return text[: min(ends)], "stop_string"
    if ended == "length":
        return text, "length"
    if (matched := named_match(choice, stop)) is not None:
        return text + matched, "stop_string"
    if stop and stop_strings not in ("kept", "named"):
        raise BadAnswerError("an answer ended, but it is unknown whether with a stop string", "unclear_stop")
    return text, "eos"


def new_tokens_of(content: Mapping[str, Any]) -> int:
    """The number of new tokens, without which an answer has no length. BadAnswerError if the server does not count."""
    usage = content.get("usage")
    found = count_of(usage, "completion_tokens")
    if found is None:
        shown = shortened(json.dumps(usage.get("completion_tokens") if isinstance(usage, dict) else None))
        raise BadAnswerError(f"the answer's usage.completion_tokens is {shown}, wanted a number of tokens", "odd")
    return found


def count_of(usage: Any, name: str) -> int | None:
    """A count of tokens; None if it is missing or cannot be one."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value <= MOST else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _message(content: Any) -> str | None:
    """The error message of a server, in any of the forms in use."""
    while isinstance(content, dict):
        content = content.get("error") or content.get("message") or content.get("detail")
    return None if content is None else str(content)


def shortened(text: str) -> str:
    """A text of a server in one line of a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_CHARS else f"{flat[:_SHOWN_CHARS]} ..."
