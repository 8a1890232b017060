"""What words are like, and in which order: letters, lengths, syllables, positions."""

from __future__ import annotations

import string
from collections.abc import Mapping
from itertools import pairwise

from orz_bench.grading.ifbench.texts import EDGES, PUNCTUATION, Check, Given, bare

_ALPHABET = string.ascii_lowercase
_CONSONANTS = frozenset(_ALPHABET) - frozenset("aeiou")
_VOWELS = frozenset("aeiou")
_MOST_VOWELS = 3
_NUM_PALINDROMES, _SHORTEST_PALINDROME = 10, 5
_PRIMES = frozenset(n for n in range(2, 98) if all(n % d for d in range(2, n)))


def _alphabet(text: str, _given: Given) -> bool:
    words = bare(text).split()
    first = words[0][0].lower() if words else ""
    if len(first) != 1 or first not in _ALPHABET:
        return False
    start = _ALPHABET.index(first)
    return all(
        word.lower()[0] == _ALPHABET[(start + place) % len(_ALPHABET)] for place, word in enumerate(words[1:], start=1)
    )


def _vowels(text: str, _given: Given) -> bool:
    text = text.strip()
    return "\n" not in text and len(_VOWELS & set(text.lower())) <= _MOST_VOWELS


def _consonants(text: str, _given: Given) -> bool:
    words = text.lower().split()
    return all(any(a in _CONSONANTS and b in _CONSONANTS for a, b in pairwise(word)) for word in words)


def _palindromes(text: str, _given: Given) -> bool:
    words = bare(text).lower().split()
    found = [word for word in words if word == word[::-1] and len(word) >= _SHORTEST_PALINDROME]
    return len(found) >= _NUM_PALINDROMES


def _prime_lengths(text: str, _given: Given) -> bool:
    return all(len(word) in _PRIMES for word in bare(text).split())


def _starts_with_verb(text: str, given: Given) -> bool:
    assert given.tools.first_tag is not None, "fault_of refuses it without the tagger"
    tokens = given.tools.tokens(text)
    return bool(tokens) and "VB" in given.tools.first_tag(tokens)


def _alternating_syllables(text: str, given: Given) -> bool:
    assert given.tools.syllables is not None, "fault_of refuses it without the package"
    parities = [given.tools.syllables(word) % 2 for word in bare(text).lower().split()]
    return all(one != other for one, other in pairwise(parities))


def _paragraphs_end_as_they_start(text: str, _given: Given) -> bool:
    paragraphs = (paragraph.strip().lower().strip(EDGES).split() for paragraph in text.split("\n"))
    return all(words[0] == words[-1] for words in paragraphs if words)


def _no_shared_first_letter(text: str, _given: Given) -> bool:
    return all(one[0] != other[0] for one, other in pairwise(bare(text.lower()).split()))


def _second_and_second_to_last(text: str, given: Given) -> bool:
    """A last token of punctuation is not counted."""
    tokens = [token.lower() for token in given.tools.tokens(text)]
    at_end = 3 if tokens and tokens[-1] in PUNCTUATION else 2
    keyword = given.asked["keyword"].strip().lower()
    return len(tokens) >= at_end and tokens[1] == tokens[-at_end] == keyword


CHECKS: Mapping[str, Check] = {
    "words:alphabet": Check(follows=_alphabet),
    "words:vowel": Check(follows=_vowels),
    "words:consonants": Check(follows=_consonants),
    "words:palindrome": Check(follows=_palindromes),
    "words:prime_lengths": Check(follows=_prime_lengths),
    "words:start_verb": Check(follows=_starts_with_verb, tool="first_tag"),
    "words:odd_even_syllables": Check(follows=_alternating_syllables, tool="syllables"),
    "words:paragraph_last_first": Check(follows=_paragraphs_end_as_they_start),
    "words:no_consecutive": Check(follows=_no_shared_first_letter),
    "words:words_position": Check(follows=_second_and_second_to_last, needs=("keyword",)),
}
