"""The identity of a checkpoint: a digest of every byte that can move one of its outputs, and of nothing else.

The digests of large files are remembered, so that only the first look at a checkpoint reads it all.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.models.weights import INDEX, weight_files
from orz_bench.records.regular import require_regular

NAMED_FILES = frozenset(
    {
        # Configuration, and what engines read beside it.
        "config.json", "generation_config.json", "quantize_config.json", "quant_config.json", "hf_quant_config.json",
        # Tokenizers.
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "vocab.txt", "vocab.bpe", "encoder.json", "merges.txt", "bpe.codes", "dict.txt", "tokenizer.model",
        "tokenizer.model.v3", "tekken.json", "spiece.model", "spm.model", "sentencepiece.model",
        "sentencepiece.bpe.model", "source.spm", "target.spm", "qwen.tiktoken", "tokenizer.tiktoken", "tiktoken.model",
        # Chat templates.
        "chat_template.jinja", "chat_template.json", "processor_config.json",
    }
)  # fmt: skip
"""The small files that count, by name: logs and results beside them are not part of a model."""
TEMPLATES = "additional_chat_templates"
_SCHEME = "blake3"
_LARGE = 1 << 20
"""Bytes from which a file's digest is remembered."""
_BLOCK = 1 << 24
_SETTLED_S = 2.0
"""A file changed more recently than that may change again without its time stamps telling."""
_MAX_REMEMBERED = 4096


def checkpoint_digest(folder: Path, *, cache: Path | None = None) -> str:
    """Sixteen characters over configuration, tokenizer, chat templates and all bytes of all weights.

    `cache` is the file that remembers the digests of large files; by default in the user's cache folder.
    """
    memory = _Memory(cache or default_cache())
    small = sorted(path for path in folder.iterdir() if path.name in NAMED_FILES)
    small += sorted((folder / TEMPLATES).glob("*.jinja"))
    weights = weight_files(folder)
    index = [folder / INDEX] if (folder / INDEX).is_file() else []
    lines = [
        f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0{memory.digest(path)}\n"
        for path in [*small, *index, *weights]
    ]
    memory.save()
    return short_digest("".join(lines))


def short_digest(text: str) -> str:
    """`w` and 75 bits: sixteen characters that are not a hexadecimal number, unlike the digests of earlier versions."""
    return "w" + base64.b32encode(_blake3().update(text.encode()).digest()).decode().lower()[:15]


def is_partial(digest: str) -> bool:
    """True for a digest of an earlier version (sixteen hexadecimal digits), which covers a part of the weights."""
    return len(digest) == 16 and all(char in "0123456789abcdef" for char in digest)


def file_digest(path: Path) -> str:
    """BLAKE3 of all bytes of a file. ConfigError if it changes meanwhile."""
    require_regular(path)
    before = _stamp(path)
    state = _blake3()
    buffer = memoryview(bytearray(min(_BLOCK, max(1, before[2]))))
    with path.open("rb", buffering=0) as stream:
        while num_read := stream.readinto(buffer):
            state.update(buffer[:num_read])
    if _stamp(path) != before:
        raise ConfigError(f"{path}: is being written; wait until it is whole, then run the same command again.")
    return str(state.hexdigest())


def default_cache() -> Path:
    """The cache of digests: never in a checkpoint's own folder, which may be read-only or copied."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "orz" / "file-digests.json"


def _blake3() -> Any:
    from blake3 import blake3

    return blake3(max_threads=blake3.AUTO)


def _stamp(path: Path) -> tuple[int, ...]:
    """Identity of a file's content: the time of its last change cannot be set back."""
    stat = path.stat()
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class _Memory:
    """The digests of large files by path and stamp. A cache that cannot be read or written is ignored."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._new: dict[str, list[Any]] = {}

    def digest(self, path: Path) -> str:
        """Digest of one file, from the cache if its stamp is unchanged."""
        stamp = list(_stamp(path))
        key = str(path.resolve())
        known = self._known.get(key)
        if known is not None and known[:-1] == stamp:
            return str(known[-1])
        found = file_digest(path)
        is_settled = time.time_ns() - max(stamp[3:]) > _SETTLED_S * 1e9
        if stamp[2] >= _LARGE and is_settled:
            self._new[key] = [*stamp, found]
        return found

    def save(self) -> None:
        """Add what was computed to the file, which other processes may have added to meanwhile."""
        if not self._new:
            return
        merged = _read(self._file) | self._new
        kept = dict(list(merged.items())[-_MAX_REMEMBERED:])
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False, encoding="utf-8") as file:
                json.dump({"scheme": _SCHEME, "files": kept}, file)
            Path(file.name).replace(self._file)


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    files = content.get("files") if isinstance(content, dict) and content.get("scheme") == _SCHEME else None
    if not isinstance(files, dict):
        return {}
    return {key: value for key, value in files.items() if isinstance(value, list) and len(value) == 6}
