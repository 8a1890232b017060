"""Questions as messages, for a server's chat endpoint, whose chat template renders them.

A template that opens the assistant's turn or is continued as text has no messages: it is refused, never approximated.
"""

from __future__ import annotations

from collections.abc import Sequence

from orz_bench.asking.templates import MESSAGES, TEMPLATES
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Message, Problem

_OPENS_A_TURN = ("orz-code", "orz-paper")


def require_messages(template: str, *, benchmark: str) -> None:
    """Raise ConfigError if the template cannot be sent as messages."""
    if template in MESSAGES:
        return
    assert template in TEMPLATES, template
    why = (
        'opens the assistant\'s turn ("Assistant: <think>"), and a chat endpoint lets the model open its own'
        if template in _OPENS_A_TURN
        else "is a text that the model continues, and a chat endpoint takes messages"
    )
    raise ConfigError(
        f"{benchmark}: the template {template} {why}. Use a protocol with messages (--protocol greedy, r1 or sober), "
        f"--template chat with an --extractor such as boxed, or --endpoint completions."
    )


def messages_for(problem: Problem, template: str, *, system: str | None) -> tuple[Message, ...]:
    """The messages of one question; `system` takes the place of the template's own system message."""
    turns = MESSAGES[template](problem)
    if system is not None:
        turns = [{"role": "system", "content": system}, *(turn for turn in turns if turn["role"] != "system")]
    return tuple(turns)


def shown(messages: Sequence[Message]) -> str:
    """The messages as one text for people: the question alone, or each turn under its role."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{message['role']}:\n{message['content']}" for message in messages)
