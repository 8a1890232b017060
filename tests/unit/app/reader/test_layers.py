from __future__ import annotations

import pytest

from app.queries.measures import lexicon
from app.reader.layers import extracted_marks, logprob_marks, reflection_marks, repeat_marks, tag_marks
from app.reader.markup import Mark


def _marked(text: str, marks: list[Mark]) -> list[str]:
    return [text[mark.start : mark.end] for mark in marks]


def test_reflection_words_outside_of_code_and_question() -> None:
    text = "Wait, `wait` and wait for the bus to stop. Let me check again."
    found = reflection_marks(text, lexicon(), question="They wait for the bus to stop.")
    assert _marked(text, found) == ["Wait", "Let me check"]


def test_tags() -> None:
    text = "a</think><answer>b</answer><b>"
    assert _marked(text, tag_marks(text)) == ["</think>", "<answer>", "</answer>"]


@pytest.mark.parametrize(
    ("text", "extracted", "start"),
    [
        (r"7 or 7 \boxed{7}", "7", 14),
        (r"\boxed{7} no, \boxed{17}", "17", 21),
        ("7 <answer> so 7</answer>", "7", 14),
        (r"so \boxed{7}. Or \boxed{7", "7", 10),
        (r"so \boxed{ 7 } and 7", "7", 11),
        ("so 7 and 7.", "7", 9),
        ("so 7", "8", None),
        ("so 7", None, None),
        ("so 7", " ", None),
    ],
)
def test_the_extracted_answer(text: str, extracted: str | None, start: int | None) -> None:
    found = extracted_marks(text, extracted)
    assert [mark.start for mark in found] == ([] if start is None else [start])
    assert _marked(text, found) == ([] if start is None else [extracted])


def test_sentences_that_stood_before() -> None:
    text = (
        "We add the two numbers up here. Short.\nWe add the two numbers up here. Short.\nSomething else entirely now."
    )
    found = repeat_marks(text)
    assert [mark.layer for mark in found] == ["repeat"]
    assert text[found[0].start : found[0].end].strip() == "We add the two numbers up here."


def test_the_loop_at_the_end() -> None:
    text = "A beginning" + " so it goes on" * 9
    (loop,) = [mark for mark in repeat_marks(text) if mark.layer == "loop"]
    assert loop.end == len(text)
    assert text[loop.start :].count("so it goes on") == 9
    assert "14 characters" in loop.title


def test_unlikely_tokens_are_darker() -> None:
    found = logprob_marks(["a", "b", "", "cd"], [-0.01, -0.2, -9.0, -5.0])
    assert [(mark.start, mark.end, mark.layer) for mark in found] == [(1, 2, "p1"), (2, 4, "p4")]


def test_a_text_without_a_loop_has_the_same_repeats_when_that_is_known() -> None:
    text = "So the answer of this sum is 12.\nIt is not.\nSo the answer of this sum is 12.\n"
    assert repeat_marks(text, ends_in_loop=False) == repeat_marks(text) != []
