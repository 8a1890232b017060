"""What each token id of a tokenizer spells, read from its tokenizer.json without any tokenizer's library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from orz_bench.errors import DataError
from orz_bench.records.regular import read_text

NAME = "tokenizer.json"
NUMBERS = "0-9"
"""Stands for all numbers."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_WORDS = re.compile(rb"[A-Za-z\x80-\xff]+|[0-9]+|[^\sA-Za-z0-9\x80-\xff]")


def token_pieces(folder: Path) -> dict[int, bytes]:
    """Token id -> its bytes; nothing for control tokens. DataError for a folder without such a file."""
    path = folder / NAME
    try:
        found = json.loads(read_text(path))
        model, added = found["model"], found["added_tokens"]
        vocabulary = model["vocab"]
        pairs = (
            vocabulary.items() if isinstance(vocabulary, dict) else ((one[0], at) for at, one in enumerate(vocabulary))
        )
        is_byte_level = "ByteLevel" in json.dumps([found.get("decoder"), found.get("pre_tokenizer")])
        pieces = {int(number): _bytes_of(text, is_byte_level=is_byte_level) for text, number in pairs}
        for one in added:
            pieces[int(one["id"])] = b"" if one.get("special") else str(one["content"]).encode()
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise DataError(
            f"{path}: not a readable tokenizer.json ({error!r}); name a folder that has the model's with --tokenizer."
        ) from error
    return pieces


def _bytes_of(text: str, *, is_byte_level: bool) -> bytes:
    if is_byte_level:
        known = _byte_letters()
        return bytes(known[letter] for letter in text) if all(letter in known for letter in text) else text.encode()
    byte = _BYTE.fullmatch(text)
    return bytes([int(byte[1], 16)]) if byte else text.replace("\u2581", " ").encode("utf-8", "replace")


def _byte_letters() -> Mapping[str, int]:
    """The letters that byte-level tokenizers write bytes with: printable ones stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


def words_of(ids: Sequence[int], pieces: Mapping[int, bytes]) -> Iterator[tuple[str, int, int]]:
    """(word, its first token, behind its last token), in order; tokens of white space alone are in none.

    A word is a run of letters in lower case, any number (all as NUMBERS), or one other character. A token belongs to
    the word of its first character that is no white space.
    """
    texts = [pieces.get(int(one), b"") for one in ids]
    text = b"".join(texts)
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    first = starts + np.array([len(one) - len(one.lstrip()) for one in texts], dtype=int)
    is_word = np.array([bool(one.strip()) for one in texts], dtype=bool)
    places = np.flatnonzero(is_word)
    spans = [(found.start(), found.end(), found[0]) for found in _WORDS.finditer(text)]
    at = np.searchsorted([start for start, _, _ in spans], first[places], side="right") - 1
    edges = np.flatnonzero(np.r_[True, at[1:] != at[:-1], True]).tolist() if len(at) else []
    for begin, end in pairwise(edges):
        raw = spans[at[begin]][2]
        name = NUMBERS if raw.isdigit() else raw.lower().decode("utf-8", "replace")
        yield name, int(places[begin]), int(places[end - 1]) + 1


def is_a_tokenizer(folder: Any) -> bool:
    """Whether a folder has the file."""
    return (Path(folder) / NAME).is_file()
