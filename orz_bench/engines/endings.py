"""Where a sample ends: at an end token, or with the first stop string in its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orz_bench.records.rollout import StopReason


class Endings:
    """Detects the end of a sample: an end token, or a stop string in its text."""

    def __init__(self, tokenizer: Any, *, stop: Sequence[str], eos: Sequence[int]) -> None:
        self._tokenizer, self._stop, self._eos = tokenizer, stop, frozenset(eos)
        self.tail = max(map(len, stop), default=0) + 8
        """In tokens: more than any stop string has."""
        self._last = {string[-1] for string in stop}
        self._can_complete: dict[int, bool] = {}

    def reason(self, tokens: Sequence[int]) -> StopReason | None:
        """Why a sample ends with the newest of its tokens, or None."""
        newest = tokens[-1]
        if newest in self._eos:
            return "eos"
        if not self._stop or not self._completes(newest):
            return None
        text = self._tokenizer.decode(tokens[-self.tail :], skip_special_tokens=True)
        return "stop_string" if any(string in text for string in self._stop) else None

    def _completes(self, token: int) -> bool:
        """Whether the token's text has the last character of a stop string: only then can a stop string be complete.

        A character of several bytes may be split over tokens, so for such a stop string every token counts.
        """
        if token not in self._can_complete:
            text = self._tokenizer.decode([token])
            self._can_complete[token] = any(last in text or not last.isascii() for last in self._last)
        return self._can_complete[token]


def cut_after_stop(text: str, stop: Sequence[str]) -> str:
    """The text up to the end of its first stop string: the last token may contain more."""
    ends = [text.find(string) + len(string) for string in stop if string in text]
    return text[: min(ends, default=len(text))]
