"""How often things occur: words, names, numbers, pronouns, punctuation, keywords."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from orz_bench.grading.ifbench.texts import EDGES, NAMES, PRONOUNS, STOP_WORDS, Check, Given, bare

_CONJUNCTIONS = ("and", "but", "for", "nor", "or", "so", "yet")
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_OVERLAP_TOLERANCE = 2
_KEYWORD_COUNTS = (1, 2, 3, 5, 7)


def _word_count_range(text: str, given: Given) -> bool:
    return bool(given.asked["min_words"] <= len(given.tools.words(text)) <= given.asked["max_words"])


def _unique_words(text: str, given: Given) -> bool:
    return bool(len({word.strip(EDGES) for word in text.lower().split()}) >= given.asked["N"])


def _stop_words(text: str, given: Given) -> bool:
    words = given.tools.words(text)
    share = sum(word.lower() in STOP_WORDS for word in words) / len(words) if words else None
    return share is not None and share * 100 <= given.asked["percentage"]


def _conjunctions(text: str, given: Given) -> bool:
    """Officially counted as written: `and` and `And,` are two."""
    return bool(
        len({word for word in text.split() if word.strip(EDGES).lower() in _CONJUNCTIONS}) >= given.asked["small_n"]
    )


def _names(text: str, given: Given) -> bool:
    return bool(sum(re.search(rf"\b{name}\b", text) is not None for name in NAMES) >= given.asked["N"])


def _overlap(text: str, given: Given) -> bool:
    """Of trigrams of characters, although the instruction does not say of what."""
    own, reference = ({one[at : at + 3] for at in range(len(one) - 2)} for one in (text, given.asked["reference_text"]))
    share = 100 * len(own & reference) / len(own) if own else None
    return share is not None and abs(share - given.asked["percentage"]) <= _OVERLAP_TOLERANCE


def _numbers(text: str, given: Given) -> bool:
    return bool(len(re.findall(r"\d+", bare(text))) == given.asked["N"])


def _punctuation(text: str, _given: Given) -> bool:
    """Every mark, and an interrobang whose characters do not count as marks."""
    if not any(mark in text for mark in ("!?", "?!", "\u203d")):
        return False
    left = text.replace("?!", "", 1)
    left = text.replace("!?", "", 1) if len(left) == len(text) else left
    return all(mark in left for mark in ".,!?;:")


def _japanese(text: str, given: Given) -> bool:
    places = enumerate((word.strip(EDGES) for word in text.split()), start=1)
    due = (word for place, word in places if place % given.asked["N"] == 0)
    return all(_JAPANESE.search(word) is not None for word in due if word and not word.isdigit())


def _pronouns(text: str, given: Given) -> bool:
    return bool(
        sum(token in PRONOUNS for token in given.tools.tokens(text.replace("/", " ").lower())) >= given.asked["N"]
    )


def _keywords(text: str, given: Given) -> bool:
    keywords = (given.asked[f"keyword{number}"].strip().lower() for number in range(1, 6))
    found = [text.lower().count(keyword) for keyword in keywords]
    return found == list(_KEYWORD_COUNTS)


def _repeats(text: str, given: Given) -> bool:
    return all(count <= given.asked["small_n"] for count in Counter(bare(text.lower()).split()).values())


CHECKS: Mapping[str, Check] = {
    "count:word_count_range": Check(follows=_word_count_range, needs=("min_words", "max_words")),
    "count:unique_word_count": Check(follows=_unique_words, needs=("N",)),
    "count:conjunctions": Check(follows=_conjunctions, needs=("small_n",)),
    "count:person_names": Check(follows=_names, needs=("N",)),
    "count:numbers": Check(follows=_numbers, needs=("N",)),
    "count:punctuation": Check(follows=_punctuation),
    "count:words_japanese": Check(follows=_japanese, needs=("N",)),
    "count:pronouns": Check(follows=_pronouns, needs=("N",)),
    "count:keywords_multiple": Check(follows=_keywords, needs=tuple(f"keyword{number}" for number in range(1, 6))),
    "ratio:stop_words": Check(follows=_stop_words, needs=("percentage",)),
    "ratio:overlap": Check(follows=_overlap, needs=("reference_text", "percentage")),
    "words:repeats": Check(follows=_repeats, needs=("small_n",)),
}
