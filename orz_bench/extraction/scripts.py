"""The script of a letter, and the letters that are foreign to mathematics in English.

Characters are normalised by NFKC first, so that ², ½, ①, µ, ﬁ and ㎏ count as their components, in training data and
in responses.
"""

from __future__ import annotations

import unicodedata
from functools import cache

SCRIPTS = ("latin", "cjk", "cyrillic", "greek", "arabic", "other")
_OF_NO_LANGUAGE = (
    (0x02B9, 0x02DF), (0x02E5, 0x02FF), (0xA700, 0xA721), (0xA788, 0xA78A),  # primes, tones, free-standing accents
    (0x0640, 0x0640),  # a stroke that lengthens any Arabic letter, also used as the line of a blank
    (0x2100, 0x214F), (0x1D400, 0x1D7FF), (0x1EE00, 0x1EEFF),  # letterlike symbols and mathematical alphabets
)  # fmt: skip
"""First and last code points of letters in Unicode that belong to no language."""
# First and last code point of Unicode blocks (and of the letters in the Latin ones).
_RANGES = {
    "latin": (
        (0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2B8),
        (0x2E0, 0x2E4), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA722, 0xA7FF), (0xAB30, 0xAB6F),
        (0xFB00, 0xFB06), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),
    ),
    "cjk": (
        (0x1100, 0x11FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3041, 0x30FF), (0x3105, 0x318F), (0x31A0, 0x31BF),
        (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF),
        (0xFF66, 0xFFDC), (0x20000, 0x323AF),
    ),
    "cyrillic": ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F)),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)),
}  # fmt: skip


@cache
def script_of(character: str) -> str | None:
    """One of SCRIPTS; None for a character that is not a letter of a language (double-struck, a prime, ...)."""
    if _is_in(character, _OF_NO_LANGUAGE):
        return None
    letter = next((part for part in unicodedata.normalize("NFKC", character) if part.isalpha()), None)
    if letter is None or _is_in(letter, _OF_NO_LANGUAGE):
        return None
    return next((script for script, ranges in _RANGES.items() if _is_in(letter, ranges)), "other")


def foreign_letters(text: str) -> tuple[str, ...]:
    """The letters that are neither Latin nor Greek nor mathematical symbols, each once, in order."""
    if text.isascii():
        return ()
    return tuple(each for each in dict.fromkeys(text) if script_of(each) not in (None, "latin", "greek"))


def _is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)
