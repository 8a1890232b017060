"""The templates, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orz_bench.asking.templates import TEMPLATES
from orz_bench.errors import ConfigError
from tests.support.builders import a_problem

ORZ_CODE = (
    "<s>A conversation between User and Assistant. The User asks a question, and the Assistant solves it. The "
    "Assistant first thinks about the reasoning process in the mind and then provides the User with the answer. "
    "The reasoning process is enclosed within <think> </think> and answer is enclosed within <answer> </answer> "
    "tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. User: You "
    "must put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. And your final "
    "answer will be extracted automatically by the \\boxed{} tag.\nThis is the problem:\nWhat is {x}?\n"
    "Assistant: <think>"
)
ORZ_PAPER = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The "
    "assistant first thinks about the reasoning process in the mind and then provides the user with the answer. "
    "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, "
    "respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. User: You must "
    "put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. And your final answer "
    "will be extracted automatically by the \\boxed{} tag. What is {x}?\nAssistant: <think>"
)


class TaggedTokenizer:
    bos, eos, opening = "<s>", "</s>", "<s>"

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return "".join(f"[{message['role']}]{message['content']}" for message in messages) + "[assistant]"


def render(name: str, *, kind: str = "math") -> str:
    problem = a_problem(question="What is {x}?", kind=kind, num_choices=4 if kind == "choice" else 0)
    return TEMPLATES[name](problem, TaggedTokenizer())


def test_orz_code_is_exact() -> None:
    assert render("orz-code") == ORZ_CODE


def test_orz_code_without_a_bos_starts_with_its_text() -> None:
    assert TEMPLATES["orz-code"](a_problem(question="What is {x}?"), None) == ORZ_CODE.removeprefix("<s>")


def test_orz_paper_is_exact() -> None:
    assert render("orz-paper") == ORZ_PAPER


def test_chat_uses_the_checkpoints_template() -> None:
    assert render("chat").startswith("[user]What is {x}?\n\nPlease reason step by step")
    assert render("chat").endswith("[assistant]")


def test_chat_without_a_tokenizer_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="template"):
        TEMPLATES["chat"](a_problem(), None)


@pytest.mark.parametrize("name", ["plain", "chat"])
def test_choices_are_asked_for_a_letter(name: str) -> None:
    assert "letter of the correct option" in render(name, kind="choice")


def test_few_shot_shows_boxed_examples_and_ends_where_the_model_goes_on() -> None:
    text = render("few-shot")
    assert text.count("\\boxed{") == 4
    assert text.endswith("Problem: What is {x}?\nSolution:")
