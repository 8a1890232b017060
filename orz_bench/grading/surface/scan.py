"""Canonical LaTeX as tokens with their bracket depths, and how to split it at depth 0."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\\text\{[^{}]*\}|\\(?:begin|end)\{[^{}]*\}|\^\{\\circ\}|\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\s+|.", re.DOTALL
)
_OPENING = frozenset(["(", "[", "{", "\\{", "\\langle", "\\lfloor", "\\lceil"])
_CLOSING = frozenset([")", "]", "}", "\\}", "\\rangle", "\\rfloor", "\\rceil"])


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text and the number of brackets open around it; a bracket is outside of itself."""

    text: str
    depth: int

    @property
    def word(self) -> str | None:
        """The word, in lower case, if this is one."""
        return self.text[6:-1].lower() if self.text.startswith("\\text{") else None


Tokens = tuple[Token, ...]


def scan(text: str) -> Tokens:
    """All tokens; spaces are tokens too."""
    found: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in _CLOSING or token.startswith("\\end{"):
            depth = max(0, depth - 1)
        found.append(Token(token, depth))
        if token in _OPENING or token.startswith("\\begin{"):
            depth += 1
    return tuple(found)


def text_of(tokens: Sequence[Token]) -> str:
    """The text of the tokens."""
    return "".join(token.text for token in tokens).strip()


def cut(tokens: Tokens, is_separator: Callable[[Token], bool]) -> list[Tokens]:
    """The pieces between separators of depth 0."""
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token.depth == 0 and is_separator(token):
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [tuple(piece) for piece in pieces]


def has_at_top(tokens: Tokens, texts: Collection[str]) -> bool:
    """Whether one of these tokens is outside of all brackets."""
    return any(token.depth == 0 and token.text in texts for token in tokens)


def stripped(tokens: Tokens) -> Tokens:
    """The tokens without spaces at both ends."""
    start, end = 0, len(tokens)
    while start < end and tokens[start].text.isspace():
        start += 1
    while end > start and tokens[end - 1].text.isspace():
        end -= 1
    return tokens[start:end]


def brackets_around(tokens: Tokens) -> tuple[str, str] | None:
    """The pair of brackets that enclose the whole text, or None."""
    if len(tokens) < 2 or tokens[0].text not in _OPENING or tokens[-1].text not in _CLOSING:
        return None
    is_one_group = all(token.depth > 0 for token in tokens[1:-1]) and tokens[-1].depth == 0
    return (tokens[0].text, tokens[-1].text) if is_one_group else None
