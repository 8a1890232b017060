"""What the checks read a text with: sentences and tokens by NLTK, syllables, tags, and the lists of lists.txt."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

PUNCTUATION = string.punctuation
EDGES = f"{PUNCTUATION} "
"""What is stripped from the ends of a word."""
_NO_PUNCTUATION = str.maketrans("", "", PUNCTUATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Libraries of a worker, loaded before its first job."""

    sentences: Callable[[str], list[str]]
    """NLTK's sent_tokenize."""
    tokens: Callable[[str], list[str]]
    """NLTK's word_tokenize."""
    words: Callable[[str], list[str]]
    r"""NLTK's RegexpTokenizer of \w+."""
    first_tag: Callable[[list[str]], str] | None
    """The part of speech of the first of some tokens, by NLTK's perceptron tagger; None without its data."""
    syllables: Callable[[str], int] | None
    """syllapy's count; None without the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a check works with, apart from the text."""

    tools: Tools
    asked: Mapping[str, Any]
    """The instruction's arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one instruction is checked."""

    follows: Callable[[str, Given], bool]
    """Whether a text that is not blank follows it."""
    needs: tuple[str, ...] = ()
    """Arguments without which the official check would draw random ones."""
    tool: str | None = None
    """The field of Tools without which it cannot be checked."""


def bare(text: str) -> str:
    """Without ASCII punctuation."""
    return text.translate(_NO_PUNCTUATION)


def is_emoji(char: str) -> bool:
    """Whether one character alone is an emoji."""
    return any(first <= ord(char) <= last for first, last in _EMOJIS)


def _lists() -> dict[str, list[str]]:
    """The words of each list of lists.txt."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in files(__package__).joinpath("lists.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = found[line.strip("[]")] = []
        elif not line.startswith("#"):
            words += line.split()
    return found


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first, 16), int(last or first, 16)


_LISTS = _lists()
STOP_WORDS = frozenset(_LISTS["stop words"])
PRONOUNS = frozenset(_LISTS["pronouns"])
NAMES = tuple(_LISTS["names"])
CAPITALS = _LISTS["capitals"]
_EMOJIS = tuple(map(_range, _LISTS["emojis"]))
