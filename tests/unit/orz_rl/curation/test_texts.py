"""When two questions say the same: tokens, keys, numbers and n-grams, against slow and obvious references."""

from __future__ import annotations

import random

import numpy as np
import pytest

from orz_rl.curation.texts import alphanumeric_key, hash_of, jaccard, match_key, ngrams, numbers, tokens, tokens_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Find $x$ if $x+1=2$.", r"Find \(x\) if \( x + 1 = 2 \)."),
        (r"Compute $\dfrac{1}{2}$.", r"Compute \[\frac 12.\]"),
        (r"Compute $\dfrac{1}{2}$.", r"compute $\tfrac{1}{2}$"),
        (r"$0 \leq x \le 2$", r"$0\leqslant x\leq 2$"),
        ("How many of 1,000 people?", "How many of 1000 people?"),
        (r"$\left( a, b \right)$", "$(a,b)$"),
        ("12. What is 3 × 4?", r"What is $3 \cdot 4$?"),
        ("See [the figure](https://example.org/a.png) of it", "see the figure of it"),
        ("x² = 4", "x2 = 4"),
    ],
)
def test_typesetting_changes_no_key(one: str, other: str) -> None:
    assert match_key(tokens(one)) == match_key(tokens(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Find $x$ if $x+1=2$.", "Find $x$ if $x-1=2$."),
        ("1, 23", "12, 3"),
        ("What is 1.5 + 2?", "What is 15 + 2?"),
        ("Find a", "Find b"),
        (r"$\sin x$", r"$\cos x$"),
        ("1,000 or 2", "1,00 or 2"),
    ],
)
def test_what_matters_changes_the_key(one: str, other: str) -> None:
    assert match_key(tokens(one)) != match_key(tokens(other))


def test_letters_and_digits_are_a_key_of_long_texts_only() -> None:
    assert alphanumeric_key("The number is $12 + 3$, isn't it?") == alphanumeric_key("the number is 12 +3 isnt it")
    assert alphanumeric_key("$12 + 3$") is None


def test_code_of_a_figure_is_not_compared() -> None:
    assert tokens_of("Find it. [asy] draw((0,0)--(1,1)); [/asy]") == ["find", "it"]
    assert tokens_of("[asy] draw(a); [/asy]") != []


def test_numbers_are_counted() -> None:
    assert numbers(tokens("2 apples, 10 pears, 2 figs")) == ("10", "2", "2")


def test_hashes_do_not_depend_on_the_process() -> None:
    assert hash_of(["a", "b"]) == 0x10D4E09F664D4CF8
    assert hash_of(["ab"]) != hash_of(["a", "b"])


@pytest.mark.parametrize("n", [1, 3, 8])
def test_ngrams_are_those_of_a_loop(n: int) -> None:
    rng = random.Random(n)
    texts = [[rng.choice("abcde") for _ in range(rng.randrange(30))] for _ in range(200)]
    found = ngrams(texts, n)
    sets = [{tuple(words[at : at + n]) for at in range(max(1, len(words) - n + 1))} for words in texts]
    assert found.sizes.tolist() == [len(grams) for grams in sets]
    for one in range(0, 200, 7):
        for other in range(0, 200, 11):
            if len(texts[one]) >= n and len(texts[other]) >= n:
                expected = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
                assert jaccard(found.of(one), found.of(other)) == pytest.approx(expected)


def test_no_text_has_no_ngram() -> None:
    assert len(ngrams([], 3)) == 0
    assert np.array_equal(ngrams([[]], 3).sizes, [1])
