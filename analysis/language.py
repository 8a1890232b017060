"""In which scripts a response is written, as shares of its letters.

Goes in: texts. Comes out: shares by script, and whether scripts of two languages are mixed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

SCRIPTS = ("latin", "cjk", "cyrillic", "greek", "arabic", "other")
MIN_FOREIGN_LETTERS = 3
"""Letters of a second script from which on a text is mixed: fewer may be a symbol or a look-alike."""
_MATHEMATICAL = (0x2100, 0x214F), (0x1D400, 0x1D7FF), (0x1EE00, 0x1EEFF)
"""Letterlike symbols and mathematical alphabets: no language."""
# First and last code point of Unicode blocks (and of the letters in the Latin ones).
_RANGES = {
    "latin": (
        (0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x24F),
        (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA722, 0xA7FF), (0xFB00, 0xFB06), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),
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
_NO_LETTER, _OTHER = -1, SCRIPTS.index("other")


def count_letters(text: str) -> dict[str, int]:
    """Letters (str.isalpha) by script: SCRIPTS in their order, 0 where there is none.

    Superscripts, subscripts, ligatures and signs of units count as what they are made of: the µ of µm is Greek.
    """
    if text.isascii():
        counts = np.zeros(len(SCRIPTS), dtype=np.int64)
        counts[0] = _num_ascii_letters(text)
    else:
        points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
        distinct, times = np.unique(points, return_counts=True)
        scripts = np.array([_script(int(point)) for point in distinct])
        is_letter = scripts != _NO_LETTER
        counts = np.bincount(scripts[is_letter], weights=times[is_letter], minlength=len(SCRIPTS)).astype(np.int64)
    return dict(zip(SCRIPTS, counts.tolist(), strict=True))


def _num_ascii_letters(text: str) -> int:
    data = np.frombuffer(text.encode("ascii"), dtype=np.uint8) | 0x20
    return int(np.count_nonzero((data >= ord("a")) & (data <= ord("z"))))


@cache
def _script(point: int) -> int:
    if not chr(point).isalpha() or any(first <= point <= last for first, last in _MATHEMATICAL):
        return _NO_LETTER
    point = _plain_letter(point)
    for script, ranges in _RANGES.items():
        if any(first <= point <= last for first, last in ranges):
            return SCRIPTS.index(script)
    return _OTHER


def _plain_letter(point: int) -> int:
    """What a superscript, a subscript, a ligature, a wide form or a sign of a unit is made of: its first letter."""
    plain = unicodedata.normalize("NFKC", chr(point))
    return next((ord(character) for character in plain if character.isalpha()), point)


def mixes_scripts(counts: dict[str, int]) -> bool:
    """Whether two scripts have three letters or more each; Greek is left out, for it is the alphabet of formulas."""
    return sum(count >= MIN_FOREIGN_LETTERS for script, count in counts.items() if script != "greek") >= 2


def language_features(texts: Sequence[str]) -> pd.DataFrame:
    """One row a text: share_<script> of its letters for each of SCRIPTS (<NA> without letters), and mixes_scripts."""
    counts = [count_letters(text) for text in texts]
    letters = pd.DataFrame(counts, columns=list(SCRIPTS), dtype="Float64")
    totals = letters.sum(axis=1)
    shares = letters.div(totals.mask(totals == 0), axis=0).add_prefix("share_")
    return shares.assign(mixes_scripts=np.array([mixes_scripts(row) for row in counts], dtype=bool))
