"""Where a response first concludes a given answer. Pure; compared as the grader does where it needs no parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from orz_bench.extraction.conclusions import conclusions
from orz_bench.grading.math.fast_path import quick_reply

Equal = Callable[[str, str], bool]
_REMEMBERED = 200_000
_MOST_CHARS = 200
_LETTER = re.compile(r"[A-J]")


def first_right(text: str, answers: Sequence[str], *, equal: Equal) -> int | None:
    """Characters up to the end of the first sentence that concludes one of `answers`; None if there is none."""
    for found in conclusions(text):
        if any(equal(answer, found.answer) for answer in answers):
            return found.end
    return None


def equality_of(golds: Sequence[str]) -> Equal:
    """How answers are compared: letters of options if all golds are such, otherwise as mathematics.

    Two expressions that need a parser to be found equal count as different, so that a first right conclusion may be
    found too late, never too early.
    """
    return _same_letter if all(_LETTER.fullmatch(gold) for gold in golds) else _same_value


def is_a_value(gold: str | None) -> bool:
    """Whether a sentence could conclude it: neither a program, nor checks of an instruction."""
    return gold is not None and 0 < len(gold) <= _MOST_CHARS and not gold.lstrip().startswith(('{"', "[{"))


@lru_cache(maxsize=_REMEMBERED)
def _same_value(gold: str, answer: str) -> bool:
    reply = quick_reply(gold, answer)
    return reply is not None and reply.verdict == "correct"


def _same_letter(gold: str, answer: str) -> bool:
    return answer.strip("()[]{} ").removeprefix("\\text{") == gold
