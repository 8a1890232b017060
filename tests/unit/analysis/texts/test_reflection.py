"""Counting in responses: code and the quoted question left out, positions, rates."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from analysis.texts.lexicons import get_lexicon
from analysis.texts.reflection import code_spans, counted_matches
from tests.support.feature_frames import some_features

PAPER = get_lexicon("orz-paper")


def counted(text: str, question: str | None = None) -> list[str]:
    return [text[match.start : match.end] for match in counted_matches(text, PAPER, question=question)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\n```py\nb\n```\nc", ["```py\nb\n```"]),
        ("~~~\n```\n~~~\nc", ["~~~\n```\n~~~"]),
        ("````\n```\n````\nc", ["````\n```\n````"]),
        ("```\nopen", ["```\nopen"]),
        ("an `x` and ``y z``", ["`x`", "``y z``"]),
        ("```x``` is inline", []),
        ("a ` b\nc ` d", []),
        ("LaTeX ``quote''", []),
        ("LaTeX ``one'' and ``two''", []),
    ],
)
def test_code_spans(text: str, code: list[str]) -> None:
    assert [text[span.start : span.end] for span in code_spans(text)] == code


def test_reflections_in_code_do_not_count() -> None:
    text = "wait, a\n```\nretry()\n# wait, `x`\nretry\n```\nthen `retry` and retry"
    assert counted(text) == ["wait,", "retry"]


QUESTION = "Tom ran ten miles. However, each of the others ran two. How far did all of them run?"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (QUESTION + " Wait, ten.", ["Wait,"]),
        ('It says "however, each\nof the others", so', []),
        ("It says: ran ten miles. However, I think", []),
        ("However, each runner counts", ["However,"]),
        ("However, no.", ["However,"]),
    ],
)
def test_the_quoted_question_does_not_count(text: str, wanted: list[str]) -> None:
    assert counted(text, QUESTION) == wanted


def test_without_the_question_everything_counts() -> None:
    assert counted(QUESTION) == ["However,"]


def test_features_count_with_and_without_exclusions() -> None:
    features = some_features(["wait, `retry` retry", "", "`wait,`"])
    assert features["reflections_raw"].tolist() == [3, 0, 1]
    assert features["reflections"].tolist() == [2, 0, 0]
    assert features["reflects"].tolist() == [True, False, False]
    assert features["pattern:wait"].tolist() == [1, 0, 0]
    assert features["pattern:retry"].tolist() == [1, 0, 0]


def test_features_say_where() -> None:
    text = "x" * 50 + "retry" + "x" * 40 + "retry"  # 100 characters
    features = some_features([text, "none"])
    assert features["first_reflection"].tolist() == [0.5, pd.NA]
    tenths = features[[f"position_{n}" for n in range(10)]]
    assert tenths.iloc[0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert tenths.iloc[1].sum() == 0


def test_rate_per_token_is_unknown_without_tokens() -> None:
    rates = some_features(["retry"] * 3, num_tokens=pd.array([5, 0, None], dtype="Int64"))
    assert rates["reflections_per_1000_tokens"].tolist() == [200.0, pd.NA, pd.NA]


def test_hostile_texts_take_linear_time() -> None:
    start = time.process_time()
    for text in (
        "retry`" * 50_000,
        "`" * 300_000 + "retry",
        "```\n" * 50_000 + "retry",
        "retry " * 50_000,
        "~" * 300_000,
    ):
        counted(text, question="retry it " * 3)
    assert time.process_time() - start < 4
