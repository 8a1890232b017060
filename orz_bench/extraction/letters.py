"""Find the letter that a response to a multiple-choice question chooses. A letter merely mentioned is not an answer."""

from __future__ import annotations

import re

from orz_bench.extraction.answers import answer_block, box_spans, extract_orz, last_box
from orz_bench.extraction.phrases import extract_phrase, extract_phrase_multilingual
from orz_bench.extraction.rules import LIKELIHOOD
from orz_bench.extraction.statements import MAX_CHARS, How, outcome, plain, state
from orz_bench.extraction.thoughts import without_thoughts

_CUE = re.compile(
    r"(?P<if>\b(?:if|whether|suppose|supposing|assume|assuming|unless)\s[^.\n]{0,30}?)?"
    r"(?:\banswers?\b(?:\s+(?:choice|option|letter))?(?:\s+to\s+(?:the|this|that)\s+(?:question|problem))?"
    r"|\b(?:correct|right|best)\s+(?:option|choice|letter)|\b(?:final|my)\s+choice)"
    r"\s*(?::|=|[-\u2013\u2014](?=\s)|\bis\b|(?:must|should|would|has\s+to)\s+be\b)\s*:?",
    re.IGNORECASE,
)
"""Phrases that announce an answer, except after an "if"."""
_MAX_LINE = 300
"""Characters read after a cue, and of a response without one."""

_ANSWER_IS = re.compile(r"answer is \(?([A-J])\)?")
_ANNOUNCED = re.compile(r"(?=[aA]nswer:\s*([A-J]))")
"""A look-ahead, because matches may overlap: `answer: Answer: B`."""
_ALONE = re.compile(r"\b[A-J]\b")


_BY_ANSWER = {
    "orz": extract_orz,
    "phrase": extract_phrase,
    "phrase-multilingual": extract_phrase_multilingual,
}


def letter_of(text: str, num_choices: int) -> str | None:
    r"""The option of a short text: D, (D), D., \text{D}, \textbf{(D)}, "D. its text", "option D"; otherwise None."""
    statement = state(plain(text), num_choices=num_choices, how="answer") if len(text) <= MAX_CHARS else None
    return outcome([statement]) if statement else None


def extract_letter(response: str, extractor: str, *, num_choices: int) -> str | None:
    """The option chosen under the extractor of that name (see orz_bench.extraction.answers), or None.

    orz, phrase, phrase-multilingual: the option in the answer of that rule. boxed: the option stated in the boxes,
    otherwise in the announcements ("Answer: X"), otherwise by the response if it is one line that begins with an
    option; thoughts are ignored. final: the same within the last closed <answer> block, whose text may also state
    it. whole and likelihood: the response if it is an option. mmlu-pro and answer-is: see below; as in the
    originals, their letters may be outside the options.
    """
    if extractor == "mmlu-pro":
        return extract_mmlu_pro(response)
    if extractor == "answer-is":
        return extract_answer_is(response)
    if extractor in ("whole", LIKELIHOOD):
        return letter_of(response, num_choices)
    if extractor in _BY_ANSWER:
        answer = _BY_ANSWER[extractor](response)
        return None if answer is None else letter_of(answer, num_choices)
    text = without_thoughts(response)
    block = answer_block(text) if extractor == "final" else None
    return _stated(text, num_choices, how="alone") if block is None else _stated(block, num_choices, how="announced")


def extract_answer_is(response: str) -> str | None:
    """The letter of the first "answer is (X)": MMLU-Pro's first rule, and lm-eval's only one for it."""
    found = _ANSWER_IS.search(response)
    return found.group(1) if found else None


def extract_mmlu_pro(response: str) -> str | None:
    """The letter that MMLU-Pro's official script finds, or None if it would guess; linear in the response.

    The first "answer is (X)", otherwise the last "Answer: X" in the first line that has one, otherwise the last letter
    from A to J that is a separate word.
    """
    if (letter := extract_answer_is(response)) is not None:
        return letter
    announced = list(_ANNOUNCED.finditer(response))
    if announced:
        end = response.find("\n", announced[0].start())
        in_line = [found for found in announced if end < 0 or found.start() < end]
        return in_line[-1].group(1)
    alone = _ALONE.findall(response)
    return alone[-1] if alone else None


def _stated(text: str, num_choices: int, *, how: How) -> str | None:
    """The option that a text states in boxes, otherwise after "answer:", otherwise as a whole."""
    boxes = [text[start:end] for start, end in box_spans(text)[:-1]] + [last_box(text) or ""]
    unset = plain(text)
    is_line = len(unset) <= _MAX_LINE and "\n" not in unset and "<answer>" not in text
    followings = [unset[cue.end() : cue.end() + _MAX_LINE] for cue in _CUE.finditer(unset) if not cue["if"]]
    places: tuple[tuple[How, list[str]], ...] = (
        ("answer", [plain(box) for box in boxes if len(box) <= MAX_CHARS]),
        ("announced", followings),
        (how, [unset] if is_line else []),
    )
    for place, texts in places:
        found = [state(one, num_choices=num_choices, how=place) for one in texts]
        if statements := [statement for statement in found if statement]:
            return outcome(statements)
    return None
