"""What sentences are like, one after another: kinds, lengths, first and last words, emojis, keywords at places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from orz_bench.grading.ifbench.texts import EDGES, PUNCTUATION, Check, Given, Tools, bare, is_emoji


def _kinds(text: str, tools: Tools) -> tuple[int, int, int]:
    """How many sentences end with a full stop, a question mark, an exclamation mark."""
    sentences = tools.sentences(text)
    declarative, asking, exclaiming = (sum(one.endswith(mark) for one in sentences) for mark in ".?!")
    return declarative, asking, exclaiming


def _two_to_one(text: str, given: Given) -> bool:
    declarative, asking, _ = _kinds(text, given.tools)
    return declarative == 2 * asking


def _balanced(text: str, given: Given) -> bool:
    return len(set(_kinds(text, given.tools))) == 1


def _three_of_one_length(text: str, given: Given) -> bool:
    """Whether words occur twice is officially not checked."""
    sentences = given.tools.sentences(text)
    return len(sentences) == 3 and len({len(sentence.strip()) for sentence in sentences}) == 1


def _growing_alliteration(text: str, given: Given) -> bool:
    lengths = [-1, *map(_alliteration, given.tools.sentences(text))]
    return all(one < other for one, other in pairwise(lengths))


def _alliteration(sentence: str) -> int:
    """Words in runs of the same first letter; every run counts."""
    words = [word for one in sentence.lower().split() if (word := one.lstrip(EDGES))]
    alike = [one[0] == other[0] for one, other in pairwise(words)]
    starts = sum(now and not before for before, now in pairwise([False, *alike]))
    return sum(alike) + starts


def _keyword_in_sentence(text: str, given: Given) -> bool:
    sentences, number = given.tools.sentences(text), int(given.asked["N"])
    if len(sentences) < number:
        return False
    return re.search(rf"\b{re.escape(given.asked['word'])}\b", sentences[number - 1], re.IGNORECASE) is not None


def _keyword_at(text: str, given: Given) -> bool:
    sentences, number, place = given.tools.sentences(text), int(given.asked["n"]), int(given.asked["m"])
    if len(sentences) < number:
        return False
    tokens = [token for token in given.tools.tokens(sentences[number - 1]) if any(map(str.isalnum, token))]
    return len(tokens) >= place and tokens[place - 1].lower() == given.asked["keyword"].strip().lower()


def _last_becomes_first(text: str, given: Given) -> bool:
    pairs = pairwise(given.tools.sentences(text))
    return all(_last_word(one) == _first_word(other) is not None for one, other in pairs)


def _last_word(sentence: str) -> str | None:
    words = sentence.rstrip(EDGES).split()
    return words[-1].lower() if words else None


def _first_word(sentence: str) -> str | None:
    words = sentence.lstrip(EDGES).split()
    return words[0].lower() if words else None


def _growing_length(text: str, given: Given) -> bool:
    counts = [len(bare(sentence).split()) for sentence in given.tools.sentences(text)]
    return all(other == one + given.asked["small_n"] for one, other in pairwise(counts))


def _emoji_at_every_end(text: str, given: Given) -> bool:
    """An emoji after the full stop is at the start of what NLTK takes for the next sentence."""
    sentences = [bare(sentence).strip() for sentence in given.tools.sentences(text)]
    return all(map(_ends_with_emoji, sentences, [*sentences[1:], None]))


def _ends_with_emoji(sentence: str, following: str | None) -> bool:
    if not sentence:
        return False
    # The last character may be a variation selector.
    return any(map(is_emoji, sentence[-2:])) or bool(following and is_emoji(following[0]))


def _from_a_to_z(text: str, given: Given) -> bool:
    firsts = [words[0].lower()[0] if (words := sentence.split()) else "" for sentence in given.tools.sentences(text)]
    return firsts == [chr(ord("a") + place) for place in range(26)]


def _is_one_sentence_reversed(text: str, given: Given) -> bool:
    words: Sequence[str] = text.lower().strip().translate(str.maketrans("", "", PUNCTUATION)).split()
    turned = " ".join(reversed(words))
    return "bald eagle" in turned and turned in given.tools.sentences(turned)


CHECKS: Mapping[str, Check] = {
    "ratio:sentence_type": Check(follows=_two_to_one),
    "ratio:sentence_balance": Check(follows=_balanced),
    "ratio:sentence_words": Check(follows=_three_of_one_length),
    "sentence:alliteration_increment": Check(follows=_growing_alliteration),
    "sentence:keyword": Check(follows=_keyword_in_sentence, needs=("word", "N")),
    "sentence:increment": Check(follows=_growing_length, needs=("small_n",)),
    "words:keywords_specific_position": Check(follows=_keyword_at, needs=("keyword", "n", "m")),
    "words:last_first": Check(follows=_last_becomes_first),
    "format:emoji": Check(follows=_emoji_at_every_end),
    "custom:sentence_alphabet": Check(follows=_from_a_to_z),
    "custom:word_reverse": Check(follows=_is_one_sentence_reversed),
}
