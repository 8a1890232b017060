"""Token ids of user text, in which the spelling of a control token, such as <|im_end|>, is ordinary text.

A rendered prompt has the template's control tokens and user text (question, examples). Only the former are encoded as
control tokens; if no user text spells one, the ids are those of the plain call.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True)
class _Control:
    id: int
    strips_left: bool
    strips_right: bool


class TextTokens:
    """Distinguishes control tokens from text for a Hugging Face tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def spells_control(self, text: str) -> bool:
        """Whether part of the text would be read as a control token."""
        if self._pattern is None:
            return False
        folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
        return any(self._pattern.search(form) for form in {text, folded, text.lower()})

    def encode(self, pieces: Sequence[tuple[str, bool]]) -> tuple[int, ...]:
        """Ids of a prompt in pieces: (text, whether it is user text)."""
        ids: list[int] = []
        segments, controls = self._cut(pieces)
        for number, segment in enumerate(segments):
            text = segment
            if number and controls[number - 1].strips_right:
                text = text.lstrip()
            if number < len(controls) and controls[number].strips_left:
                text = text.rstrip()
            ids += self._plain(text, is_first=number == 0) if text else []
            ids += [controls[number].id] if number < len(controls) else []
        return tuple(ids)

    def _cut(self, pieces: Sequence[tuple[str, bool]]) -> tuple[list[str], list[_Control]]:
        """(the texts between the template's control tokens, those tokens)."""
        segments, controls = [""], []
        for text, is_users in pieces:
            at = 0
            found = () if is_users or self._pattern is None else self._pattern.finditer(text)
            for match in found:
                segments[-1] += text[at : match.start()]
                controls.append(self._controls[match.group()])
                segments.append("")
                at = match.end()
            segments[-1] += text[at:]
        return segments, controls

    def _plain(self, text: str, *, is_first: bool) -> list[int]:
        """Ids of a text in which no control token is recognised."""
        control_ids = {control.id for control in self._controls.values()}
        ids = self._split(text, is_first=is_first)
        if not control_ids.intersection(ids) or self._pattern is None:
            return ids
        # The vocabulary itself spells a control token: it is split after its first character.
        parts = self._pattern.sub(lambda match: f"{match.group()[0]}\0{match.group()[1:]}", text).split("\0")
        return [id_ for at, part in enumerate(parts) for id_ in self._split(part, is_first=is_first and at == 0)]

    def _split(self, text: str, *, is_first: bool) -> list[int]:
        if self._backends is None:
            return list(self._tokenizer.encode(text, add_special_tokens=False))
        found = self._backends[not is_first].encode(text, add_special_tokens=False).ids
        return [self._kept.get(number, number) for number in found]

    @cached_property
    def _kept(self) -> dict[int, int]:
        """Original ids of the other added tokens, which the tokenizer without control tokens renumbers."""
        if self._backends is None:
            return {}
        added = {token.content: number for number, token in self._tokenizer.added_tokens_decoder.items()}
        anew = {content: self._backends[0].token_to_id(content) for content in added if content not in self._controls}
        return {number: added[content] for content, number in anew.items() if number is not None}

    @cached_property
    def _controls(self) -> dict[str, _Control]:
        """By spelling: special tokens, and those that the chat template contains."""
        template = json.dumps(self._tokenizer.chat_template or "", ensure_ascii=False)
        added, special = self._tokenizer.added_tokens_decoder, set(self._tokenizer.all_special_tokens)
        return {
            token.content: _Control(number, strips_left=token.lstrip, strips_right=token.rstrip)
            for number, token in added.items()
            if token.content.strip()
            and (token.special or token.content in special or (_is_tag(token.content) and token.content in template))
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        spellings = sorted(self._controls, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, spellings))) if spellings else None

    @cached_property
    def _backends(self) -> tuple[Any, Any] | None:
        """The fast tokenizer without its control tokens: for the start of a prompt, and after a control token."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            return None
        from tokenizers import Tokenizer

        state = json.loads(backend.to_str())
        state["added_tokens"] = [one for one in state["added_tokens"] if one["content"] not in self._controls]
        state |= {"post_processor": None, "truncation": None, "padding": None}
        first = Tokenizer.from_str(json.dumps(state))
        state["pre_tokenizer"] = _never_first(state["pre_tokenizer"])
        return first, Tokenizer.from_str(json.dumps(state))


def _is_tag(text: str) -> bool:
    return re.fullmatch(r"[<\[]\S+[>\]]", text) is not None


def _never_first(part: Any) -> Any:
    """The pre-tokenizer after a control token: without the prefix that it adds to a whole text."""
    if isinstance(part, list):
        return [_never_first(item) for item in part]
    if not isinstance(part, dict):
        return part
    changed = {name: _never_first(value) for name, value in part.items()}
    return changed | ({"prepend_scheme": "never"} if part.get("prepend_scheme") == "first" else {})
