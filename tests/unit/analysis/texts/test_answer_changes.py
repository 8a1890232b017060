"""What a response held for the answer before it reflected, and what became of it."""

from __future__ import annotations

import random

import pytest

from analysis.texts.answer_changes import Candidate, candidate_before, classify_change, count_answer_changes
from orz_bench.records.rollout import Problem
from orz_rl.assets.demonstrations import demonstrate
from tests.support.cpu_time import at_most_cpu_seconds
from tests.support.feature_frames import some_features


@pytest.mark.parametrize(
    ("text", "answer", "evidence"),
    [
        (" 12. ", "12", "stated"),
        (" 3+4=7, 7+8=15. ", "15", "stated"),
        ("So \\boxed{3} and \\boxed{\\frac{1}{2}}. ", "\\frac{1}{2}", "boxed"),
        ("So \\boxed{3}. Or \\boxed{4. ", "3", "boxed"),
        ("The answer is $\\frac{3}{4}$. ", "\\frac{3}{4}", "stated"),
        ("Answer: **42**\n", "42", "stated"),
        ("the answer is 3, no, the answer is 4. ", "4", "stated"),
        ("so the result is (B). ", "B", "stated"),
        ("Adding up, 2+2 = 4.\nSo, the number of cats is \\( n = 4 \\).\n\n", "4", "concluded"),
        ("Thus the area is 12 square units. ", "12", "concluded"),
    ],
)
def test_a_candidate_is_found(text: str, answer: str, evidence: str) -> None:
    assert candidate_before(text + "wait, 99", len(text)) == Candidate(answer, evidence)  # type: ignore[arg-type]  # plain text


@pytest.mark.parametrize(
    "text",
    ["", "I add first. ", "we get x = 3. ", "the answer is 3x. ", "the answer is 12 + 3. ", "answer is 3\\sqrt{2}. ",
     "\\boxed{3", "\\boxed{}", "The answer is A good one. ", "So it is 3. Then I go on and on. "],
)  # fmt: skip
def test_no_candidate_where_nothing_is_stated(text: str) -> None:
    assert candidate_before(text, len(text)) is None


@pytest.mark.parametrize(
    ("candidate", "final", "is_correct", "change"),
    [
        ("12", "15", True, "helpful"),
        ("15", "12", False, "harmful"),
        ("15", None, False, "harmful"),
        ("15", "15.0", True, "superficial"),
        ("12", "12", False, "superficial"),
        ("15", "\\sqrt{225}", True, "superficial"),
        ("12", "13", False, "wrong_to_wrong"),
        ("12", None, False, "unknown"),
        ("12", "\\sqrt{225}", True, "unknown"),
        ("x", "13", False, "unknown"),
        (None, "15", True, "unknown"),
    ],
)
def test_changes(candidate: str | None, final: str | None, is_correct: bool, change: str) -> None:
    assert classify_change(candidate, final=final, gold="15", is_correct=is_correct) == change


def test_features_of_each_kind() -> None:
    features = some_features(
        [" 12. wait, 3+4=7, 7+8=15", " 15. wait, 14", " 15. wait, 15", " 1. wait, 2", " hm wait, 15", " 15"],
        gold="15",
        extracted=["15", "14", "15", "2", "15", "15"],
        verdict=["correct", "wrong", "correct", "wrong", "correct", "correct"],
    )
    wanted = ["helpful", "harmful", "superficial", "wrong_to_wrong", "unknown"]
    assert features["answer_change"].tolist()[:5] == wanted
    assert features["answer_change"].isna().tolist() == [False] * 5 + [True]
    changes = count_answer_changes(features)
    assert changes.num_reflecting == 5
    assert changes.counts == dict.fromkeys(wanted, 1)
    assert changes.by_evidence["stated"] == dict.fromkeys(wanted[:4], 1) | {"unknown": 0}


def test_without_verdict_or_gold_the_change_is_unknown() -> None:
    assert some_features([" 12. wait, 15"], verdict=None)["answer_change"].tolist() == ["unknown"]
    features = some_features([" 12. wait, 13"], verdict="wrong", extracted="13", gold=None)
    assert features["answer_change"].tolist() == ["unknown"]


def test_the_embedded_models_style_is_understood() -> None:
    rng = random.Random(0)
    problem = Problem(benchmark="arithmetic", problem_id="sum-348", question="3+4+8", gold="15", kind="math")
    texts = [text for text in (demonstrate(problem, rng) for _ in range(400)) if text[1:].split(" ")[0].endswith(".")]
    finals = [text.split("{")[1].split("}")[0] for text in texts]
    firsts = [text.split(".")[0].strip() for text in texts]
    features = some_features(
        texts, gold="15", extracted=finals, verdict=["correct" if final == "15" else "wrong" for final in finals]
    )
    for first, final, change in zip(firsts, finals, features["answer_change"], strict=True):
        kinds = {(False, True): "helpful", (True, False): "harmful"}
        settled = "superficial" if first == final else "wrong_to_wrong"
        assert change == kinds.get((first == "15", final == "15"), settled)
    assert len(texts) > 50


def test_hostile_texts_take_linear_time() -> None:
    with at_most_cpu_seconds(30):
        texts = ("answer" * 50_000, "answer is " + "1" * 300_000, "\\boxed{" * 50_000, "so " * 100 + "a" * 250,
                 "1," * 150_000, "answer is $" + "(" * 300_000, "thus is " * 40_000, "answer: " * 50_000,
                 "1/" * 150_000)  # fmt: skip
        for text in texts:
            candidate_before(text, len(text))
