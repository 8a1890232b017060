"""The text of each sampled token, from a checkpoint's vocabulary: `tokenizer.json`, byte-level as in GPT-2.

The file is read as data: no tokenizer library, no code from a checkpoint. If the tokens do not concatenate to the
response (another kind of vocabulary, for example), there is no layer rather than a wrong one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from orz_bench.records.run_dir import RunDir

_MAX_BYTES = 64 << 20


def vocabulary_path(run: Path) -> Path | None:
    """The tokenizer of the run's last checkpoint, or None if there is none."""
    found = [policy / "tokenizer.json" for _, policy in RunDir(run).checkpoints()]
    return next((path for path in reversed(found) if path.is_file() and path.stat().st_size <= _MAX_BYTES), None)


@lru_cache(maxsize=2)
def read_vocabulary(path: Path) -> Mapping[int, str]:
    """Token id -> token as written in the file; empty for an unknown file format."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    model = content.get("model", {}) if isinstance(content, dict) else {}
    vocabulary: Any = model.get("vocab") if isinstance(model, dict) else None
    added = content.get("added_tokens", []) if isinstance(content, dict) else []
    found = {number: token for token, number in vocabulary.items()} if isinstance(vocabulary, dict) else {}
    return found | {one["id"]: one["content"] for one in added if isinstance(one, dict) and "content" in one}


def token_texts(token_ids: Sequence[int], vocabulary: Mapping[int, str], *, completion: str) -> list[str] | None:
    """One piece of the completion per token; a character made of several tokens belongs to the last of them.

    Tokens after the end of the completion (the end token) get no text. None if the pieces do not form the completion.
    """
    try:
        pieces = [_bytes_of(vocabulary[number]) for number in token_ids]
    except KeyError:
        return None
    wanted = completion.encode("utf-8", "surrogatepass")
    joined = b"".join(pieces)
    if not joined.startswith(wanted) or len(joined) - len(wanted) > len(pieces[-1] if pieces else b""):
        return None
    ends = [min(end, len(wanted)) for end in accumulate(map(len, pieces))]
    return _texts_between(wanted, ends)


def _texts_between(data: bytes, ends: Sequence[int]) -> list[str]:
    texts: list[str] = []
    start = 0
    for end in ends:
        whole = end
        while whole < len(data) and whole > start and data[whole] & 0xC0 == 0x80:
            whole -= 1
        texts.append(data[start:whole].decode("utf-8", "surrogatepass"))
        start = whole
    return texts


def _bytes_of(token: str) -> bytes:
    letters = _byte_letters()
    return bytes(letters[char] for char in token) if all(char in letters for char in token) else token.encode()


@lru_cache(maxsize=1)
def _byte_letters() -> Mapping[str, int]:
    """GPT-2's letters for the 256 bytes: printable bytes map to themselves, the others to U+0100 onwards."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
