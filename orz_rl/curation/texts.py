"""When two questions say the same: their tokens, the key that ignores typesetting, their numbers and n-grams.

Texts in, tokens and hashes out. Hashes are the same on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_LETTERS_END = r"(?![a-zA-Z])"
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "—": " ", "×": "*", "·": "*", "⋅": "*", "÷": "/", "≤": r" \leq ", "≥": r" \geq ",
     "≠": r" \neq ", "π": r" \pi ", "√": r" \sqrt ", "∞": r" \infty ", "°": r" \circ ", "\u2044": "/"}
)  # fmt: skip
_FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|$)|!\[[^\]\n]{0,200}\]\([^)\s]*\)", re.DOTALL | re.IGNORECASE)
LINK = re.compile(r"(?<!!)\[([^\[\]\n]{1,200})\]\(https?://[^)\s]*\)")
"""A link of Markdown; its text is the first group."""
_ENUMERATOR = re.compile(r"^\s*(?:(?:problem|question|example|exercise|task)\s*)?\d{0,3}[a-z]?\s?[.)](?=\s*[^\s\d])\s*")
_REWRITTEN = [
    (re.compile(rf"\\[dtc]frac{_LETTERS_END}"), r"\\frac "),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac \1 \2"),
    (re.compile(rf"\\(?:leqslant|le){_LETTERS_END}"), r"\\leq"),
    (re.compile(rf"\\(?:geqslant|ge){_LETTERS_END}"), r"\\geq"),
    (re.compile(rf"\\(?:ne|not\s*=){_LETTERS_END}"), r"\\neq"),
    (re.compile(rf"\\(?:times|cdot){_LETTERS_END}"), "*"),
    (re.compile(rf"\\(?:[lc]?dots[a-z]?){_LETTERS_END}|\.\.\.+|…"), " "),
    (re.compile(r"\\(?:begin|end)\s*\{[a-z]+\*?\}(?:\{[lcr|]+\})?"), " "),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!]|,)(?=\d{3}(?!\d))"), ""),
]
_TYPESETTING = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|q?quad|text|math(?:rm|bf|it|bb|cal|sf)|text(?:rm|bf|it)"
    rf"|operatorname|mbox|hbox|hspace|vspace|rm|bf|it|mid|colon|middle|nolimits|underline|boldsymbol){_LETTERS_END}\*?"
)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_FEWEST_LETTERS = 12
_TOKEN = re.compile(r"\\[a-z]+|\d+(?:\.\d+)?|[^\W\d_]+|[+\-*/^=<>|!%]")


def without_figures(text: str) -> str:
    """The text without the code or the address of a figure."""
    return _FIGURE.sub(" ", text)


def tokens(text: str) -> list[str]:
    """Words, numbers, LaTeX commands and operators, in lower case, without typesetting, brackets and punctuation."""
    text = LINK.sub(r"\1", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_SIGNS))
    text = _ENUMERATOR.sub("", text.lower())
    if "\\" in text or "," in text or "." in text:
        for pattern, replacement in _REWRITTEN:
            text = pattern.sub(replacement, text)
        text = _TYPESETTING.sub(" ", text)
    return _TOKEN.findall(text)


def tokens_of(question: str) -> list[str]:
    """The tokens of a question without the code of figures, unless it is nothing else."""
    return tokens(without_figures(question)) or tokens(question)


def hash_of(words: Sequence[str]) -> int:
    """64 bits of a sequence of tokens."""
    return int.from_bytes(
        hashlib.blake2b("\x1f".join(words).encode("utf-8", "replace"), digest_size=8).digest(), "little"
    )


def match_key(words: Sequence[str]) -> bytes:
    """16 bytes that are equal where two texts differ only in typesetting, spaces, case and punctuation."""
    joined = "".join(f"#{word}" if word[0].isdigit() else word for word in words)
    return hashlib.blake2b(joined.encode("utf-8", "replace"), digest_size=16).digest()


def alphanumeric_key(text: str) -> bytes | None:
    """16 bytes that are equal where two texts have the same letters and digits; None for a text of few letters.

    In a bare formula the operators are what matters: 12 + 3 and 1 + 23 have the same digits.
    """
    squeezed = _NOT_ALPHANUMERIC.sub("", text.lower())
    if len(squeezed) - sum(map(str.isdigit, squeezed)) < _FEWEST_LETTERS:
        return None
    return hashlib.blake2b(squeezed.encode("utf-8", "replace"), digest_size=16).digest()


def numbers(words: Sequence[str]) -> tuple[str, ...]:
    """The numbers of a text, sorted, each as often as it occurs."""
    return tuple(sorted(word for word in words if word[0].isdigit()))


@dataclass(frozen=True, slots=True)
class NGrams:
    """The distinct n-grams of several texts, as hashes."""

    flat: Hashes
    """Those of the first text, sorted, then those of the second, and so on."""
    offsets: npt.NDArray[np.int64]
    """Where each text begins, and the end."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, index: int) -> Hashes:
        """Those of one text."""
        return self.flat[self.offsets[index] : self.offsets[index + 1]]

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """The number of n-grams of each text."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """The text of each hash."""
        return np.repeat(np.arange(len(self)), self.sizes)


def ngrams(texts: Sequence[Sequence[str]], n: int) -> NGrams:
    """The n-grams of tokens of each text; a text of fewer than n tokens is one n-gram."""
    padded = [words if len(words) >= n else [*words, *["\x00"] * (n - len(words))] for words in texts]
    lengths = np.fromiter((len(words) for words in padded), dtype=np.int64, count=len(padded))
    flat = np.fromiter((_token_hash(word) for words in padded for word in words), dtype=np.uint64, count=lengths.sum())
    if not len(flat):
        return NGrams(flat, np.zeros(len(padded) + 1, dtype=np.int64))
    hashes = np.zeros(max(len(flat) - n + 1, 0), dtype=np.uint64)
    for shift in range(n):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + flat[shift : shift + len(hashes)]
    hashes = _mixed(hashes)
    owners = np.repeat(np.arange(len(padded)), lengths)
    is_whole = owners[: len(hashes)] == owners[n - 1 : n - 1 + len(hashes)]
    owners, hashes = owners[: len(hashes)][is_whole], hashes[is_whole]
    order = np.lexsort((hashes, owners))
    owners, hashes = owners[order], hashes[order]
    is_new = np.ones(len(hashes), dtype=bool)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    owners, hashes = owners[is_new], hashes[is_new]
    return NGrams(hashes, np.searchsorted(owners, np.arange(len(padded) + 1)).astype(np.int64))


def jaccard(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Shared n-grams over all n-grams of two texts."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / max(1, len(one) + len(other) - shared)


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit depends on all others (the finaliser of MurmurHash3)."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(33))


@lru_cache(maxsize=1 << 18)
def _token_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")
