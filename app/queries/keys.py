"""Permanent keys of rollouts, which are independent of parts, machines and versions of the app."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True, order=True)
class RowKey:
    """One rollout of a run; a training rollout has an empty fingerprint."""

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
    """One response of a run: the rollout's key, and the hash of its text."""

    key: RowKey
    text_hash: str
    """Empty in annotations of an older version, which did not store it."""


KEY_COLUMNS = ("benchmark", "step", "fingerprint", "problem_id", "sample_index")


def key_text(key: RowKey) -> str:
    """A rollout's key as one value in an address."""
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


def natural(column: str) -> str:
    """SQL for a key by which 2 comes before 10: every number in a text counts as one, as in `aime2024-2`."""
    number = "lpad(piece, greatest(30, length(piece))::INTEGER, '0')"
    return (
        f"(array_to_string(list_transform(regexp_extract_all({column}, '[0-9]+|[^0-9]+'), lambda piece: "
        f"CASE WHEN piece >= '0' AND piece < ':' THEN {number} ELSE piece END), '') || ' ' || {column})"
    )


def hash_text(text_hash: int) -> str:
    """A text's hash as stored in annotations: 16 hexadecimal digits."""
    return f"{text_hash:016x}"


def hash_of_text(text: str) -> int | None:
    """The inverse of hash_text; None for an empty text, which means no hash."""
    return int(text, 16) if text else None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None
