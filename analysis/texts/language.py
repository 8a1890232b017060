"""The scripts that a response is written in, as shares of its letters.

Input: texts. Output: shares by script, and whether two scripts are mixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from orz_bench.extraction.scripts import SCRIPTS, script_of

MIN_FOREIGN_LETTERS = 3
"""Minimum number of letters of a second script in a mixed text: fewer may be symbols or look-alikes."""
_NO_LETTER = -1


def count_letters(text: str) -> dict[str, int]:
    """Number of letters by script, in the order of SCRIPTS; 0 if there are none. See orz_bench.extraction.scripts."""
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


def _script(point: int) -> int:
    script = script_of(chr(point))
    return _NO_LETTER if script is None else SCRIPTS.index(script)


def mixes_scripts(counts: dict[str, int]) -> bool:
    """Whether two scripts have at least three letters each; Greek is ignored because formulas use it."""
    return sum(count >= MIN_FOREIGN_LETTERS for script, count in counts.items() if script != "greek") >= 2


def language_features(texts: Sequence[str]) -> pd.DataFrame:
    """One row per text: share_<script> of its letters for each of SCRIPTS (<NA> without letters), and mixes_scripts."""
    counts = [count_letters(text) for text in texts]
    letters = pd.DataFrame(counts, columns=list(SCRIPTS), dtype="Float64")
    totals = letters.sum(axis=1)
    shares = letters.div(totals.mask(totals == 0), axis=0).add_prefix("share_")
    return shares.assign(mixes_scripts=np.array([mixes_scripts(row) for row in counts], dtype=bool))
