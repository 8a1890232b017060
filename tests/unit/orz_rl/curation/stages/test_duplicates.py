"""Exact, near and similar duplicates: what is dropped and what is listed, against brute force."""

from __future__ import annotations

import random
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from orz_rl.curation.rows import Row
from orz_rl.curation.settings import NearSettings
from orz_rl.curation.stages.embedding import pairs_above
from orz_rl.curation.stages.exact import Exact
from orz_rl.curation.stages.near import Near, candidates_of, similar_pairs, written
from orz_rl.curation.texts import tokens_of
from tests.support.curation_rows import decided, reasons, rows_of

TOM = "Tom has 12 red apples and 7 green pears in his basket, and he gives away 5 of the apples. How many are left?"


def test_of_equal_questions_the_first_is_kept(tmp_path: Path) -> None:
    rows = rows_of([("What is $2+2$?", "4"), ("Other?", "4"), ("what is 2 + 2", "4.0"), ("What is $2+2$?", "4")])
    outcome = decided(Exact(), rows, tmp_path, rows_per_part=2)
    assert [fate.reason for fate in outcome.fates] == ["", "", "duplicate", "duplicate"]
    assert [(pair.id, pair.other_id, pair.method) for pair in outcome.pairs] == [
        ("r2", "r0", "normalised"),
        ("r3", "r0", "exact"),
    ]


def test_contradictory_golds_drop_all(tmp_path: Path) -> None:
    rows = rows_of([("What is $2+2$?", "4"), ("What is 2+2", "5"), ("What is 2 + 2?", "4"), ("Else?", "1")])
    outcome = decided(Exact(), rows, tmp_path)
    assert [fate.reason for fate in outcome.fates] == [*["contradictory_golds"] * 3, ""]
    assert [dict(fate.evidence) for fate in outcome.fates[:3]] == [
        {"of": "r1", "gold": "4", "other": "5"},
        {"of": "r0", "gold": "5", "other": "4"},
        {"of": "r1", "gold": "4", "other": "5"},
    ]


def test_near_duplicates_need_the_same_numbers_and_golds(tmp_path: Path) -> None:
    rows = rows_of(
        [
            (TOM, "14"),
            (TOM.replace("Tom", "Ann"), "14"),
            (TOM.replace("12", "13"), "15"),
            (TOM.replace("How many are left", "How many are left now"), "7"),
            ("Something else entirely, which is asked of nobody at all: what is the number?", "14"),
        ]
    )
    outcome = decided(Near(NearSettings()), rows, tmp_path, rows_per_part=2)
    assert [fate.reason for fate in outcome.fates] == ["", "near_duplicate", "", "", ""]
    assert {(pair.id, pair.other_id): pair.verdict for pair in outcome.pairs} == {
        ("r1", "r0"): "dropped",
        ("r2", "r0"): "other numbers",
        ("r3", "r0"): "other gold",
        ("r3", "r2"): "other numbers",
    }


def test_nothing_repeats_a_row_that_is_dropped(tmp_path: Path) -> None:
    """A, B like A, C like B only: B goes, C stays."""
    words = ["".join(pair) for pair in product("abcdefgh", repeat=2)][:60]
    texts = [words, [*words[:54], *"uvwxyz"], [*words[:48], *"ijklmn", *"uvwxyz"]]
    rows = rows_of((" ".join(text), "1") for text in texts)
    assert reasons(Near(NearSettings(similarity=0.75)), rows, tmp_path) == ["", "near_duplicate", ""]


def _questions(rng: random.Random, count: int) -> list[str]:
    words = [f"w{number}" for number in range(400)]
    found: list[str] = []
    for _ in range(count):
        if found and rng.random() < 0.4:
            text = rng.choice(found).split()
            for _ in range(rng.randint(1, 6)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = rng.choices(words, k=rng.randint(8, 60))
        found.append(" ".join(text))
    return found


def test_minhash_finds_what_brute_force_finds(tmp_path: Path) -> None:
    questions = _questions(random.Random(1), 400)
    index = written([rows_of((text, "1") for text in questions)], tmp_path, n=3)
    found = {(later, earlier): similarity for later, earlier, similarity in similar_pairs(index, threshold=0.7)}
    sets = [{tuple(words[at : at + 3]) for at in range(len(words) - 2)} for words in map(tokens_of, questions)]
    truth = {}
    for earlier, later in combinations(range(len(sets)), 2):
        similarity = len(sets[earlier] & sets[later]) / len(sets[earlier] | sets[later])
        if similarity >= 0.7:
            truth[later, earlier] = similarity
    assert len(truth) > 40
    assert len(truth.keys() & found.keys()) >= 0.99 * len(truth)
    assert found.keys() <= truth.keys()
    assert all(found[pair] == pytest.approx(truth[pair]) for pair in found)


def test_a_large_bucket_costs_no_quadratic_time() -> None:
    keys = np.zeros(50_000, dtype=np.uint64)
    numbers = np.arange(50_000, dtype=np.uint64)
    numbers[40_000] = numbers[10]
    pairs = candidates_of(keys, numbers)
    assert len(pairs) < 5 * 50_000
    assert (40_000 << 32 | 10) in pairs.tolist()


def test_of_no_row_there_is_no_pair(tmp_path: Path) -> None:
    rows: list[Row] = []
    assert reasons(Near(NearSettings()), rows, tmp_path) == []
    assert reasons(Exact(), rows, tmp_path) == []


def test_pairs_of_vectors_are_those_of_the_whole_matrix() -> None:
    """Over several blocks."""
    vectors = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = {(later, earlier): cosine for later, earlier, cosine in pairs_above(vectors, threshold=0.9999)}
    cosines = vectors @ vectors.T
    expected = {(later, earlier) for later, earlier in np.argwhere(cosines >= 0.9999).tolist() if earlier < later}
    assert found.keys() == expected
    assert len(expected) > 500
    assert all(found[pair] == pytest.approx(float(cosines[pair]), abs=1e-6) for pair in found)
