"""Bodies of chat endpoints in the forms that servers send, and what is read from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orz_bench.engines.openai.answers import BadAnswerError
from orz_bench.engines.openai.chat_answers import read_chat_answers
from orz_bench.extraction.answers import extract_boxed


def read(message: dict[str, Any], *, finish: Any = "stop", stop: tuple[str, ...] = (), **usage: Any) -> Any:
    counts = {"prompt_tokens": 20, "completion_tokens": 12} | usage
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = json.dumps({"model": "m", "choices": [choice], "usage": counts})
    (answer,) = read_chat_answers(body, num=1, stop=stop, stop_strings="kept")
    return answer


MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing apart": ({"content": "It is \\boxed{5}."}, "It is \\boxed{5}."),
    "tags in the content": ({"content": "<think>2+3</think>\\boxed{5}"}, "<think>2+3</think>\\boxed{5}"),
    "reasoning_content": (
        {"content": "\\boxed{5}", "reasoning_content": "2, \\boxed{4}?"},
        "<think>2, \\boxed{4}?</think>\\boxed{5}",
    ),
    "reasoning": (
        {"content": "\\boxed{5}", "reasoning": "wait", "reasoning_content": None},
        "<think>wait</think>\\boxed{5}",
    ),
    "both names": (
        {"content": "\\boxed{5}", "reasoning": "wait", "reasoning_content": "wait"},
        "<think>wait</think>\\boxed{5}",
    ),
    "an empty thought": ({"content": "\\boxed{5}", "reasoning": ""}, "\\boxed{5}"),
    "parts": (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "wait, \\boxed{4}"}]},
                {"type": "text", "text": "\\boxed{5}"},
            ]
        },
        "<think>wait, \\boxed{4}</think>\\boxed{5}",
    ),
    "texts": (
        {"content": [{"type": "text", "text": "It is "}, {"type": "output_text", "text": "\\boxed{5}"}]},
        "It is \\boxed{5}",
    ),
    "a refusal": ({"content": None, "refusal": "No."}, "No."),
    "a thought that mentions its end": (
        {"content": "\\boxed{5}", "reasoning": "the tag </think> \\boxed{4}"},
        "<think>the tag </think> \\boxed{4}</think>\\boxed{5}",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_one_response(name: str) -> None:
    message, wanted = MESSAGES[name]
    answer = read(message)
    assert (answer.text, answer.stop_reason, answer.num_tokens) == (wanted, "eos", 12)
    assert extract_boxed(answer.text) == (None if "refusal" in message else "5")


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_guess_in_a_thought_without_content_is_no_answer(finish: str) -> None:
    answer = read({"content": None, "reasoning": "maybe \\boxed{4}"}, finish=finish)
    assert answer.text == "<think>maybe \\boxed{4}"
    assert extract_boxed(answer.text) is None


@pytest.mark.parametrize(
    ("usage", "tokens", "reasoning"),
    [
        ({}, 12, None),
        ({"completion_tokens_details": None}, 12, None),
        ({"completion_tokens_details": {"reasoning_tokens": 8}}, 12, 8),
        ({"completion_tokens_details": {"reasoning_tokens": 8}, "total_tokens": 32}, 12, 8),
        ({"completion_tokens_details": {"reasoning_tokens": 8}, "total_tokens": 40}, 20, 8),
        ({"completion_tokens_details": {"reasoning_tokens": 0}}, 12, None),
    ],
)
def test_all_that_the_model_wrote_is_counted(usage: dict[str, Any], tokens: int, reasoning: int | None) -> None:
    """Thoughts are part of completion_tokens, or counted apart; 0 beside a thought is not known."""
    answer = read({"content": "5", "reasoning": "wait"}, **usage)
    assert (answer.num_tokens, answer.extra["usage"]["reasoning_tokens"]) == (tokens, reasoning)


@pytest.mark.parametrize(
    ("finish", "usage"),
    [
        ("length", {}),
        ("stop", {"completion_tokens": 1}),
        ("stop", {"completion_tokens_details": {"reasoning_tokens": 11}}),
    ],
)
def test_null_is_an_empty_answer_if_nothing_else_was_written(finish: str, usage: dict[str, Any]) -> None:
    assert read({"content": None}, finish=finish, **usage).text == ""
    with pytest.raises(BadAnswerError, match="content is null after 12 new tokens"):
        read({"content": None})


def test_a_stop_string_in_a_thought_does_not_cut_the_answer() -> None:
    answer = read({"content": "5. Question: next", "reasoning": "Question: 2+3"}, stop=("Question:",))
    assert (answer.text, answer.stop_reason) == ("<think>Question: 2+3</think>5. Question:", "stop_string")
    answer = read({"content": None, "reasoning": "so Question:"}, stop=("Question:",))
    assert (answer.text, answer.stop_reason) == ("<think>so Question:", "stop_string")
    answer = read({"content": "5", "reasoning": "Question: 2+3"}, stop=("Question:",))
    assert (answer.text, answer.stop_reason) == ("<think>Question: 2+3</think>5", "eos")


@pytest.mark.parametrize("num", [1, 3])
def test_the_number_of_choices_is_the_number_asked_for(num: int) -> None:
    choice = {"message": {"content": "5"}, "finish_reason": "stop", "token_ids": [1, 2]}
    usage = {"prompt_tokens": 20, "completion_tokens": 4}
    body = json.dumps({"choices": [choice | {"index": 1}, choice | {"index": 0}], "usage": usage})
    with pytest.raises(BadAnswerError, match=f"2 choices, wanted {num}"):
        read_chat_answers(body, num=num, stop=(), stop_strings="kept")
    assert [one.num_tokens for one in read_chat_answers(body, num=2, stop=(), stop_strings="kept")] == [2, 2]
    mixed = json.dumps({"choices": [choice | {"index": 1}, choice | {"index": "0"}], "usage": usage})
    assert len(read_chat_answers(mixed, num=2, stop=(), stop_strings="kept")) == 2
    twice = json.dumps({"choices": [choice | {"index": 0}, choice | {"index": 0}], "usage": usage})
    with pytest.raises(BadAnswerError, match="2 choices, wanted 2"):
        read_chat_answers(twice, num=2, stop=(), stop_strings="kept")
