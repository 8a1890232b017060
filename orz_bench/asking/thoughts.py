"""Where the thought of a template's response ends, so that its length can be forced (s1, arXiv 2501.19393)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

WAIT = "Wait"
"""What s1 appends instead of the end of a thought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtFormat:
    """The marks of a response's thought."""

    ends: tuple[str, ...]
    """Texts that end a thought."""
    close: str
    """What ends a thought that is too long, up to the beginning of the answer."""


_TAGGED = ThoughtFormat(ends=("</think>", "<answer>"), close=" </think> <answer>")
_OF_MODEL = ThoughtFormat(ends=("</think>",), close="\n</think>\n\n")

THOUGHTS: Mapping[str, ThoughtFormat] = MappingProxyType(
    {"orz-code": _TAGGED, "orz-paper": _TAGGED, "chat": _OF_MODEL, "lcb": _OF_MODEL}
)
"""By template: Open-Reasoner-Zero's, and the chat templates of thinking models. The others ask for no thought."""
