"""Measures of values on data whose answer is known: made-up critics that are calibrated, jump at words, or fall."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from analysis.texts.lexicons import get_lexicon
from analysis.values.assessed import AssessedResponse
from analysis.values.calibration import (
    auroc,
    auroc_by_question,
    bin_of,
    brier,
    expected_calibration_error,
    reliability,
)
from analysis.values.falls import fall_of
from analysis.values.reflections import Place, reflection_changes, reflection_places
from analysis.values.repetition import is_repeated, repetition_differences
from analysis.values.resampling import Questions, paired_effect
from analysis.values.study import at_positions

WORDS = get_lexicon("orz-code")


def a_response(
    text: str, values: Sequence[float] | None = None, *, problem_id: str = "q", is_right: bool = True
) -> AssessedResponse:
    """One token a character."""
    length = len(text)
    return AssessedResponse(
        problem_id=problem_id,
        sample_index=0,
        question=None,
        text=text,
        step=0,
        is_right=is_right,
        values=np.array([0.5] * length if values is None else values, dtype=float),
        char_ends=np.arange(1, length + 1),
        token_ids=np.array([ord(char) for char in text]),
    )


def test_a_calibrated_critic_has_no_error_and_the_brier_score_of_its_doubt() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=200_000)
    is_right = rng.uniform(size=len(values)) < values
    assert expected_calibration_error(values, is_right) < 0.01
    assert brier(values, is_right) == pytest.approx(float((values * (1 - values)).mean()), abs=0.003)
    assert auroc(values, is_right) == pytest.approx(5 / 6, abs=0.005)  # P(v > v') with densities 2v and 2 (1 - v')


def test_a_critic_that_always_says_the_same_is_off_by_the_difference() -> None:
    is_right = np.array([True] * 3 + [False])
    assert expected_calibration_error(np.full(4, 0.95), is_right) == pytest.approx(0.2)
    assert brier(np.full(4, 1.0), is_right) == 0.25
    assert auroc(np.full(4, 0.95), is_right) == 0.5
    assert auroc(np.full(4, 0.95), np.full(4, fill_value=True)) is None


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_share_of_pairs(seed: int) -> None:
    draw = random.Random(seed)
    values = np.array([draw.choice([0.1, 0.2, 0.5, 0.9]) for _ in range(30)])
    is_right = np.array([draw.random() < 0.5 for _ in values])
    weights = np.array([draw.randrange(3) for _ in values], dtype=float)
    pairs = [
        (weights[a] * weights[b], (values[a] > values[b]) + (values[a] == values[b]) / 2)
        for a, b in product(np.flatnonzero(is_right), np.flatnonzero(~is_right))
    ]
    wanted = sum(w * share for w, share in pairs) / sum(w for w, _ in pairs)
    assert auroc(values, is_right, weights=weights) == pytest.approx(wanted)


def test_knowing_only_which_question_is_hard_is_chance_within_questions() -> None:
    owners = [f"q{at // 10}" for at in range(200)]
    hard = np.array([at // 10 % 2 for at in range(200)])
    is_right = np.array([at % 10 < (2 if hard[at] else 8) for at in range(200)])
    values = np.where(hard, 0.2, 0.8)
    assert auroc(values, is_right) == pytest.approx(0.8)
    within = auroc_by_question(values, is_right, owners=owners)
    assert set(within.values()) == {0.5}
    assert len(within) == 20


def test_values_outside_of_0_and_1_are_in_the_last_bins() -> None:
    assert bin_of(np.array([-0.3, 0.0, 0.0999, 0.1, 0.95, 1.0, 1.4])).tolist() == [0, 0, 0, 1, 9, 9, 9]


def test_the_reliability_curve_has_the_share_of_each_bin_with_an_interval() -> None:
    rng = np.random.default_rng(1)
    values = rng.choice([0.25, 0.75], size=2000)
    is_right = rng.uniform(size=2000) < values
    questions = Questions([f"q{at % 50}" for at in range(2000)])
    low, high = reliability(values, is_right, questions=questions)
    for found, wanted in ((low, 0.25), (high, 0.75)):
        assert found.mean_value == pytest.approx(wanted)
        assert found.share_right.low is not None
        assert found.share_right.high is not None
        assert found.share_right.low < wanted < found.share_right.high
        assert found.share_right.high - found.share_right.low < 0.1


def test_positions_are_the_first_and_the_last_token() -> None:
    found = at_positions(np.arange(101.0))
    assert found.tolist() == [10.0 * at for at in range(11)]
    assert at_positions(np.array([0.3])).tolist() == [0.3] * 11


def reflecting(jump: float, *, seed: int, drift: float = 0.002) -> list[AssessedResponse]:
    """Four responses to a question; the first reflects, and its value jumps behind the word. All drift upwards."""
    rng = np.random.default_rng(seed)
    group = []
    for number in range(4):
        text = (
            "add the two small numbers, " * 3 + ("wait, no " if number == 0 else "then so ") + "and then go on now " * 3
        )
        values = 0.3 + drift * np.arange(len(text)) + rng.normal(scale=0.01, size=len(text))
        if number == 0:
            values[text.index("wait,") + 5 :] += jump
        group.append(a_response(text, values.tolist(), problem_id=f"q{seed}"))
    return group


@pytest.mark.parametrize("jump", [0.2, -0.1, 0.0])
def test_a_jump_at_reflection_words_is_found_and_a_drift_is_none(jump: float) -> None:
    changes = [one for seed in range(30) for one in reflection_changes(reflecting(jump, seed=seed), WORDS)]
    assert len(changes) == 30
    assert all(one.control is not None for one in changes)
    effect = paired_effect({one.problem_id: one.change - (one.control or 0.0) for one in changes})
    assert effect is not None
    estimate = effect.difference
    assert estimate.value == pytest.approx(jump, abs=0.01)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low - 0.005 < jump < estimate.high + 0.005
    assert (effect.p_value < 0.01) == (jump != 0)


def test_controls_have_the_same_outcome_and_no_reflection() -> None:
    group = reflecting(0.2, seed=0)
    from dataclasses import replace

    others = [group[0], *(replace(one, is_right=False) for one in group[1:])]
    (change,) = reflection_changes(others, WORDS)
    if change.control is not None:  # only places in the response itself are left
        assert change.control == pytest.approx(0.0, abs=0.1)
    alone = a_response("wait, ok then go on", problem_id="q")
    (only,) = reflection_changes([alone], WORDS)
    assert only.control is None


def test_a_place_is_the_tokens_of_the_word() -> None:
    response = a_response("ok. wait, no")
    assert reflection_places(response, WORDS) == [Place(4, 8)]


@pytest.mark.parametrize("seed", range(5))
def test_repeated_tokens_are_those_whose_ngram_was_there_before(seed: int) -> None:
    draw = random.Random(seed)
    ids = [draw.randrange(3) for _ in range(60)]
    seen: set[tuple[int, ...]] = set()
    wanted = []
    for end in range(1, len(ids) + 1):
        gram = tuple(ids[end - 3 : end]) if end >= 3 else None
        wanted.append(gram is not None and gram in seen)
        seen |= {gram} if gram is not None else set()
    assert is_repeated(np.array(ids), 3).tolist() == wanted
    assert not is_repeated(np.array([1, 2]), 3).any()


def test_a_lower_value_at_repetition_is_found_at_the_same_place_and_outcome() -> None:
    plain = "".join(map(chr, range(40, 100)))
    looping = plain[:30] + plain[20:30] * 3
    flags = is_repeated(np.array([ord(char) for char in looping]))
    assert flags.sum() == 21
    group = [
        a_response(plain, np.linspace(0, 1, 60).tolist(), is_right=False),
        a_response(looping, (np.linspace(0, 1, 60) - 0.3 * flags).tolist(), is_right=False),
        a_response(plain, (np.linspace(0, 1, 60) + 0.4).tolist(), is_right=True),
    ]
    found = repetition_differences(group)
    assert found.num_repeated == 21
    assert found.value == pytest.approx(-0.3, abs=0.03)
    assert found.advantage is not None
    assert found.advantage == pytest.approx(0.3 - 0.6 / 2, abs=0.05)  # half of the others are right: 1 - 0.4 above
    assert repetition_differences(group[:1]).value is None


@pytest.mark.parametrize(
    ("values", "kind", "token"),
    [
        ([0.9, 0.8, 0.2, 0.7, 0.3, 0.1], "fell", 4),
        ([0.1, 0.2, 0.3, 0.4, 0.1, 0.1], "never high", 0),
        ([0.1, 0.2, 0.3, 0.4, 0.1, 0.9], "still high", None),
        ([0.5, 0.4, 0.4, 0.4, 0.4, 0.4], "fell", 1),
    ],
)
def test_a_value_falls_for_good_behind_its_last_high_one(values: list[float], kind: str, token: int | None) -> None:
    found = fall_of(a_response("abcdef", values, is_right=False))
    assert (found.kind, found.token) == (kind, token)


def test_few_questions_have_no_interval() -> None:
    effect = paired_effect({"a": 0.1, "b": 0.2})
    assert effect is not None
    assert effect.difference.value == pytest.approx(0.15)
    assert effect.difference.low is None
    assert paired_effect({}) is None
    assert Questions(["a", "b"]).estimate(lambda weights: float(weights.sum())) is not None
