"""A hash that identifies a response's text: in duplicates, in annotations, and after the text itself was dropped."""

from __future__ import annotations

import hashlib


def text_hash(text: str) -> int:
    """A 64-bit hash of a text, the same on every machine and in every version (BLAKE2b of its UTF-8)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
