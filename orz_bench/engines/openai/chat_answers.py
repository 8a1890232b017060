"""Read an answer of a chat endpoint: the thought and what is said are joined as the model would have written them.

A thought that the server keeps apart (`reasoning_content`, `reasoning`) comes first, in <think> tags, so that
extraction, lengths and analyses of reflection read it as in any other response. Nothing that is missing is made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.engines.engine import StopStrings
from orz_bench.engines.openai.answers import (
    Answer,
    BadAnswerError,
    count_of,
    ended_as,
    named_match,
    new_tokens_of,
    read_object,
    shortened,
)
from orz_bench.errors import counted
from orz_bench.records.rollout import StopReason

OPENED, CLOSED = "<think>", "</think>"
_THOUGHTS = ("reasoning_content", "reasoning")
"""DeepSeek, SGLang, llama.cpp and earlier vLLM; vLLM and OpenRouter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What an assistant's message holds."""

    said: str | None
    """None: the message has no content."""
    thought: str = ""
    thought_field: str | None = None
    """Where the server keeps the thought: `content` for one in tags; None if there is none."""
    is_refusal: bool = False

    @property
    def text(self) -> str:
        """Thought and answer as one response. A thought after which nothing is said stays open."""
        if not self.thought:
            return self.said or ""
        return f"{OPENED}{self.thought}{CLOSED}{self.said}" if self.said else f"{OPENED}{self.thought}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request, as the server counts them; None: not stated."""

    prompt_tokens: int | None
    new_tokens: int
    """All that the model wrote, its thoughts included."""
    reasoning_tokens: int | None


def read_chat_answers(text: str, *, num: int, stop: Sequence[str], stop_strings: StopStrings) -> list[Answer]:
    """The `num` answers of a body, by index. BadAnswerError if one is missing or its end is unknown.

    Tokens are known for each answer if the server lists them, or if there is one.
    """
    content = read_object(text)
    choices = read_choices(content, num=num)
    usage = read_usage(content)
    model = content.get("model")
    named = model if isinstance(model, str) and model else None
    return [_answer(choice, usage, num=num, model=named, ending=(stop, stop_strings)) for choice in choices]


def read_choices(content: Mapping[str, Any], *, num: int) -> list[Mapping[str, Any]]:
    """The choices in their order, each with a message."""
    found = content.get("choices")
    choices: list[Mapping[str, Any]]
    choices = [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []
    if not choices:
        raise BadAnswerError(f"the answer has no choice (keys: {shortened(', '.join(content))})", "odd")
    by_index = {str(choice.get("index")): choice for choice in choices}
    if len(choices) != num or (num > 1 and by_index.keys() != {str(index) for index in range(num)}):
        raise BadAnswerError(f"the answer has {counted(len(choices), 'choice')}, wanted {num}", "odd")
    for choice in choices:
        if not isinstance(choice.get("message"), dict):
            raise BadAnswerError(f"the choice has no message (keys: {shortened(', '.join(choice))})", "odd")
    return [by_index[str(index)] for index in range(num)] if num > 1 else choices


def read_usage(content: Mapping[str, Any]) -> Usage:
    """The tokens of a request. BadAnswerError without a count of what was written."""
    written, usage = new_tokens_of(content), content["usage"]
    prompt, total = count_of(usage, "prompt_tokens"), count_of(usage, "total_tokens")
    thought = count_of(usage.get("completion_tokens_details"), "reasoning_tokens")
    if thought and prompt is not None and total == prompt + written + thought:
        written += thought  # some servers count thoughts apart
    return Usage(prompt_tokens=prompt, new_tokens=written, reasoning_tokens=thought)


def read_message(choice: Mapping[str, Any]) -> Message:
    """The thought and the content of a choice. BadAnswerError for content of another form."""
    message = choice["message"]
    said, inner = _content(message.get("content"))
    refusal = message.get("refusal")
    if said is None and isinstance(refusal, str) and refusal:
        return Message(said=refusal, is_refusal=True)
    for name in _THOUGHTS:
        thought = message.get(name)
        if thought is not None and not isinstance(thought, str):
            raise BadAnswerError(f"the message's {name} is {shortened(json.dumps(thought))}, wanted a string", "odd")
        if thought:
            return Message(said=said, thought=thought, thought_field=name)
    return Message(said=said, thought=inner, thought_field="content" if inner or CLOSED in (said or "") else None)


def _content(content: Any) -> tuple[str | None, str]:
    """(what is said, the thought) of a string or of a list of parts."""
    if content is None or isinstance(content, str):
        return content, ""
    parts = content if isinstance(content, list) else [content]
    said, thoughts = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "output_text") and isinstance(part.get("text"), str):
            said.append(part["text"])
        elif kind == "thinking":
            text, _ = _content(part.get("thinking"))
            thoughts.append(text or "")
        else:
            raise BadAnswerError(f"the message's content is {shortened(json.dumps(content))}, wanted a string", "odd")
    return "".join(said), "".join(thoughts)


def _answer(
    choice: Mapping[str, Any],
    usage: Usage,
    *,
    num: int,
    model: str | None,
    ending: tuple[Sequence[str], StopStrings],
) -> Answer:
    message, (stop, stop_strings) = read_message(choice), ending
    new_tokens = usage.new_tokens if num == 1 else own_tokens(choice)
    reasoning = usage.reasoning_tokens if num == 1 else None
    if message.thought and not reasoning:
        reasoning = None  # vLLM counts none where the prompt opened the thought
    text, reason = _ending(message, choice, stop=stop, stop_strings=stop_strings)
    if message.said is None and not message.thought and reason != "length" and new_tokens - (reasoning or 0) > 1:
        raise BadAnswerError(f"the message's content is null after {new_tokens} new tokens, wanted a string", "odd")
    extra: dict[str, Any] = {
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "new_tokens": new_tokens,
            "reasoning_tokens": reasoning,
        },
        "finish_reason": choice.get("finish_reason"),
    }
    extra |= {"thought_field": message.thought_field} if message.thought_field else {}
    extra |= {"is_refusal": True} if message.is_refusal else {}
    return Answer(
        text=text,
        num_tokens=new_tokens,
        num_prompt_tokens=usage.prompt_tokens,
        stop_reason=reason,
        model=model,
        extra=extra,
    )


def own_tokens(choice: Mapping[str, Any]) -> int:
    """The number of tokens of one choice of several."""
    ids = choice.get("token_ids")
    if isinstance(ids, list):
        return len(ids)
    logprobs = choice.get("logprobs")
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    if isinstance(listed, list):
        return len(listed)
    raise BadAnswerError("a choice of several does not list its tokens (token_ids, logprobs)", "odd")


def _ending(
    message: Message, choice: Mapping[str, Any], *, stop: Sequence[str], stop_strings: StopStrings
) -> tuple[str, StopReason]:
    """(the response up to the end of its first stop string, the stop reason); a thought is never searched for one."""
    ended = ended_as(choice)
    text, said = message.text, message.said or ""
    ends = [said.find(string) + len(string) for string in stop if string in said]
    if ends:
        return text[: len(text) - len(said) + min(ends)], "stop_string"
    if ended == "length":
        return text, "length"
    if (matched := named_match(choice, stop)) is not None:
        return (text if text.endswith(matched) else text + matched), "stop_string"
    if stop and not said and text.endswith(tuple(stop)):
        return text, "stop_string"
    if stop and stop_strings not in ("kept", "named"):
        raise BadAnswerError("an answer ended, but it is unknown whether with a stop string", "unclear_stop")
    return text, "eos"
