"""What names a rollout for good: a key that survives new parts, other machines and new versions of the app."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """One rollout of a run; of training where the fingerprint is empty."""

    benchmark: str
    step: int
    fingerprint: str
    problem_id: str
    sample_index: int

    @property
    def kind(self) -> str:
        """`train` or `eval`."""
        return "eval" if self.fingerprint else "train"


@dataclass(frozen=True, slots=True)
class Response:
    """One response of a run: which rollout, and which text it had."""

    key: RowKey
    text_hash: str
    """Empty in entries of an older version, which did not keep it."""


KEY_COLUMNS = ("benchmark", "step", "fingerprint", "problem_id", "sample_index")


def key_text(key: RowKey) -> str:
    """A rollout's key as one value of an address."""
    parts = (key.benchmark, str(key.step), key.fingerprint, key.problem_id, str(key.sample_index))
    return "~".join(quote(part, safe="").replace("~", "%7E") for part in parts)


def key_of(text: str) -> RowKey | None:
    """The inverse of key_text; None for any other text."""
    parts = [unquote(part) for part in text.split("~")]
    if len(parts) != 5:
        return None
    step, sample_index = _whole(parts[1]), _whole(parts[4])
    if step is None or sample_index is None or sample_index >= 1 << 31:
        return None
    return RowKey(parts[0], step, parts[2], parts[3], sample_index)


def hash_text(text_hash: int) -> str:
    """A text's hash as annotations keep it: 16 hexadecimal digits."""
    return f"{text_hash:016x}"


def hash_of_text(text: str) -> int | None:
    """The inverse of hash_text; None for an empty text, where no hash was kept."""
    return int(text, 16) if text else None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None
