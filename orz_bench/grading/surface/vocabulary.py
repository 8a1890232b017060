"""English words around a value, by their effect on it (see words.txt). Any other word changes the answer."""

from __future__ import annotations

from orz_bench.grading.surface.word_lists import read_lists

_LISTS = read_lists("words.txt")
FILLERS = _LISTS["fillers"]
"""Words that announce a value without changing it."""
CLOSINGS = _LISTS["closings"]
"""Words that may follow a value without changing it."""
COPULAS = _LISTS["copulas"]
CONNECTIVES = frozenset(("and", "or"))
TURNING = _LISTS["turning"]
"""Words that change the answer: negations, bounds, comparisons, alternatives, hedges."""
SUBJECT_TURNING = TURNING - _LISTS["harmless subjects"]
"""Those that do so even in the subject: "the least value is 5" states 5, "I doubt that it is 5" does not."""
MULTIPLIERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
"""The power of ten that a word denotes."""
MULTIPLIERS |= {f"{word}s": power for word, power in MULTIPLIERS.items() if word != "hundred"}
FUNCTIONS = _LISTS["functions"]
GREEK = _LISTS["greek"]
NOUNS = _LISTS["nouns"]
"""Nouns that are counted."""
ADJECTIVES = _LISTS["adjectives"]
"""Words allowed between a value and the counted noun."""
_MONTHS = "january february march april may june july august september october november december"
MONTHS = {name: place for place, name in enumerate(_MONTHS.split(" "), start=1)}
MONTHS |= {name[:3]: place for name, place in MONTHS.items()} | {"sept": 9}


def is_counted(word: str) -> bool:
    """Whether this is a known counted noun."""
    if word in NOUNS or (word.endswith("s") and word[:-1] in NOUNS):
        return True
    return word.endswith("es") and (word[:-2] in NOUNS or (word.endswith("ies") and f"{word[:-3]}y" in NOUNS))


def normal_noun(word: str) -> str:
    """The noun without its plural ending."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
