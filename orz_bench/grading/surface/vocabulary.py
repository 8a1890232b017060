"""English words that stand around a value, by what they do to it: see words.txt. Others make another answer."""

from __future__ import annotations

from orz_bench.grading.surface.word_lists import read_lists

_LISTS = read_lists("words.txt")
FILLERS = _LISTS["fillers"]
"""What announces a value and says nothing about it."""
CLOSINGS = _LISTS["closings"]
"""What may follow a value and says nothing about it."""
COPULAS = _LISTS["copulas"]
CONNECTIVES = frozenset(("and", "or"))
TURNING = _LISTS["turning"]
"""What makes of a value another answer: negations, bounds, comparisons, alternatives, hedges."""
SUBJECT_TURNING = TURNING - _LISTS["harmless subjects"]
"""Of these, what does so even as the subject: "the least value is 5" says 5, "I doubt that it is 5" doesn't."""
MULTIPLIERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
"""The power of ten that a word stands for."""
MULTIPLIERS |= {f"{word}s": power for word, power in MULTIPLIERS.items() if word != "hundred"}
FUNCTIONS = _LISTS["functions"]
GREEK = _LISTS["greek"]
NOUNS = _LISTS["nouns"]
"""What is counted."""
ADJECTIVES = _LISTS["adjectives"]
"""What may stand between a value and the counted noun."""
_MONTHS = "january february march april may june july august september october november december"
MONTHS = {name: place for place, name in enumerate(_MONTHS.split(" "), start=1)}
MONTHS |= {name[:3]: place for name, place in MONTHS.items()} | {"sept": 9}


def is_counted(word: str) -> bool:
    """Whether this is a noun that is counted, as far as is known."""
    if word in NOUNS or (word.endswith("s") and word[:-1] in NOUNS):
        return True
    return word.endswith("es") and (word[:-2] in NOUNS or (word.endswith("ies") and f"{word[:-3]}y" in NOUNS))


def normal_noun(word: str) -> str:
    """The noun without the ending of its plural."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
