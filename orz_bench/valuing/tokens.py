"""Stored rollouts as token ids, with the end of every token in the text; texts without ids are tokenised again.

Tokens are checked against the text that they have to spell: a critic, or a student, with another tokenizer is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orz_bench.errors import DataError, counted
from orz_bench.records.arrays import Numbers, token_ids

COLUMNS = (
    "problem_id", "sample_index", "prompt", "completion", "prompt_token_ids", "token_ids", "num_tokens", "stop_reason",
)  # fmt: skip
_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
_CONTEXT = 4
"""Tokens before one that can change how it is written: SentencePiece drops the space before the first."""


class ReadsTokens(Protocol):
    """The part of a model that reads rollouts which its tokens are checked with."""

    @property
    def tokenizer(self) -> Any:
        """A Hugging Face tokenizer."""
        ...

    @property
    def vocabulary(self) -> int:
        """The number of token ids that it knows: rows of its embedding."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """The longest sequence, prompt and response together; None if unlimited."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenisedRollout:
    """One stored rollout, ready for a model."""

    key: tuple[str, int]
    prompt: Sequence[int]
    response: Numbers[int]
    char_ends: Numbers[int]
    was_tokenised: bool
    """True if its text was tokenised again."""
    has_other_length: bool = False
    """Tokenised again, and the number of tokens is not that of what was sampled."""

    @property
    def num_tokens(self) -> int:
        """Of prompt and response."""
        return len(self.prompt) + len(self.response)


class RolloutTokens:
    """Turns rows of rollouts into tokens of a critic, or of another model (`reader`)."""

    def __init__(self, critic: ReadsTokens, *, where: str, reader: str = "critic") -> None:
        """`where`: the rollouts, for messages."""
        self._critic, self._where, self._reader = critic, where, reader
        self._pieces: dict[int, str] = {}

    def of(self, row: Mapping[str, Any]) -> TokenisedRollout:
        """DataError for a row whose tokens are not those of its text, or that the critic does not know."""
        key, completion = (row["problem_id"], row["sample_index"]), row["completion"]
        ids, was_tokenised = row["token_ids"], row["token_ids"] is None
        if was_tokenised:
            ids = self._encoded(completion) + self._end(row)
        ends = self._ends(ids, completion)
        if ends is None:
            raise self._not_this_text(key, was_tokenised=was_tokenised)
        prompt = row["prompt_token_ids"]
        if prompt is None:
            prompt = self._prompt(row)
        self._require_known([*prompt, *ids], key)
        self._require_room(len(prompt) + len(ids), key)
        num_sampled = row["num_tokens"]
        return TokenisedRollout(
            key=key,
            prompt=prompt,
            response=token_ids(ids),
            char_ends=token_ids(ends),
            was_tokenised=was_tokenised,
            has_other_length=was_tokenised and num_sampled is not None and num_sampled != len(ids),
        )

    def _prompt(self, row: Mapping[str, Any]) -> list[int]:
        text = row["prompt"]
        if not text:
            raise DataError(
                f"{self._where}: sample {row['sample_index']} of {row['problem_id']} has no prompt, on which "
                f"everything after it depends; generate with orz-bench eval, or add a column prompt to the file."
            )
        ids = self._encoded(text)
        if self._critic.tokenizer.decode(ids, clean_up_tokenization_spaces=False) != text:
            raise self._not_this_text((row["problem_id"], row["sample_index"]), was_tokenised=True, what="prompt")
        return ids

    def _encoded(self, text: str) -> list[int]:
        return list(self._critic.tokenizer.encode(text, add_special_tokens=False))

    def _end(self, row: Mapping[str, Any]) -> list[int]:
        """The end token, where the model ended the response by it: it is no part of the text."""
        end = self._critic.tokenizer.eos_token_id
        return [end] if row["stop_reason"] == "eos" and end is not None else []

    def _ends(self, ids: Sequence[int], text: str) -> list[int] | None:
        """For each token, the number of characters of the text up to its end; None if the tokens do not spell it."""
        ends = token_ends(ids, text, decode=self._decoded)
        if ends is None or (ends[-1] if ends else 0) != len(text):
            return None
        beyond = sum(end == len(text) for end in ends[:-1]) if text else len(ids)
        # Behind the text there is at most the end token; a character of several tokens ends with the last of them.
        return ends if beyond <= 1 or ids[-1] == self._critic.tokenizer.eos_token_id else None

    def _decoded(self, ids: Sequence[int]) -> str:
        if len(ids) == 1 and ids[0] in self._pieces:
            return self._pieces[ids[0]]
        found = str(self._critic.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
        if len(ids) == 1:
            self._pieces[ids[0]] = found
        return found

    def _require_known(self, ids: Sequence[int], key: tuple[str, int]) -> None:
        if ids and max(ids) >= self._critic.vocabulary:
            raise DataError(
                f"{self._where}: sample {key[1]} of {key[0]} has the token id {max(ids)}, but the {self._reader} "
                f"knows {self._critic.vocabulary:,}; use a {self._reader} with the tokenizer of the model that "
                f"generated it."
            )

    def _require_room(self, length: int, key: tuple[str, int]) -> None:
        limit = self._critic.max_tokens
        if limit is not None and length > limit:
            raise DataError(
                f"{self._where}: sample {key[1]} of {key[0]} has {counted(length, 'token')} with its prompt, but the "
                f"{self._reader}'s context is {limit:,}; use a {self._reader} with a longer one."
            )

    def _not_this_text(self, key: tuple[str, int], *, was_tokenised: bool, what: str = "text") -> DataError:
        found = f"its text, tokenised with the {self._reader}'s tokenizer," if was_tokenised else "its token ids"
        found = f"its prompt, tokenised with the {self._reader}'s tokenizer," if what == "prompt" else found
        verb = "do not decode" if found.endswith("ids") else "does not decode"
        return DataError(
            f"{self._where}: sample {key[1]} of {key[0]}: {found} {verb} to the stored text with the "
            f"{self._reader}'s tokenizer; use a {self._reader} with the tokenizer of the model that generated it."
        )


def token_ends(ids: Sequence[int], text: str, *, decode: Callable[[Sequence[int]], str]) -> list[int] | None:
    """For each token, the number of characters of `text` up to its end.

    Tokens before the last of one character get the end before it; tokens behind the text that of the text. The last
    token may go on behind the text, which a stop string ended within it. None if some tokens do not spell the text.
    """
    ends: list[int] = []
    at, start = 0, 0
    while start < len(ids):
        piece, stop = _next_piece(ids, start, text=text[at:], decode=decode)
        if piece is None:
            is_last = start == len(ids) - 1 and decode(ids[start:]).startswith(text[at:])
            return ends + [len(text)] * (len(ids) - start) if is_last or at == len(text) else None
        ends += [at] * (stop - start - 1) + [at + len(piece)]
        at, start = at + len(piece), stop
    return ends


def _next_piece(
    ids: Sequence[int], start: int, *, text: str, decode: Callable[[Sequence[int]], str]
) -> tuple[str | None, int]:
    """(the characters of the next tokens, the index behind them); None if they are not the text's next."""
    before = ids[max(0, start - _CONTEXT) : start]
    for stop in range(start + 1, min(start + 8, len(ids)) + 1):
        alone = decode(ids[start:stop])
        if _is_next(alone, text):
            return alone, stop
        known, whole = decode(before), decode([*before, *ids[start:stop]])
        if whole.startswith(known) and _is_next(whole[len(known) :], text):
            return whole[len(known) :], stop
    return None, start


def _is_next(piece: str, text: str) -> bool:
    """A character that is cut decodes to a replacement character; one that is really in the text is accepted."""
    return bool(piece) and text.startswith(piece) and (not piece.endswith(_UNFINISHED) or text[: len(piece)] == piece)
