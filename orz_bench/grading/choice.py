"""Which letter does a response to a multiple-choice question choose? A letter that is merely mentioned is no answer."""

from __future__ import annotations

import re

from orz_bench.grading.extract import LIKELIHOOD, answer_block, box_spans, extract_orz

_MAX_FORM_CHARS = 2_000
"""A box longer than this holds no letter, nor a letter with the text of its option."""

_WRAPPED = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|mathsf|textsf|mathit|textit|mbox|boldsymbol)\s*\{(.*)\}", re.DOTALL
)
_LETTER = re.compile(r"\(\s*([A-Z])\s*\)[.:]?|([A-Z])[.):]?")
_LETTER_AND_TEXT = re.compile(r"(?:\(([A-Z])\)[.:]?|([A-Z])[.):])\s.*", re.DOTALL)

_ANSWER_IS = re.compile(r"answer is \(?([A-J])\)?")
_ANNOUNCED = re.compile(r"(?=[aA]nswer:\s*([A-J]))")
"""A look-ahead, because one may begin within another: `answer: Answer: B`."""
_ALONE = re.compile(r"\b[A-J]\b")


def letter_of(text: str, num_choices: int) -> str | None:
    r"""The option that a short text is: D, (D), D., \text{D}, \textbf{(D)}, "D. its text", "D) its text"; else None."""
    text = text[: _MAX_FORM_CHARS + 1].strip(" \t\r\n$*")
    if len(text) > _MAX_FORM_CHARS:
        return None
    while wrapped := _WRAPPED.fullmatch(text):
        text = wrapped.group(1).strip(" \t\r\n$*")
    match = _LETTER.fullmatch(text) or _LETTER_AND_TEXT.fullmatch(text)
    return _option(match.group(1) or match.group(2), num_choices) if match else None


def extract_letter(response: str, extractor: str, *, num_choices: int) -> str | None:
    """The chosen option under the extractor of that name (see orz_bench.grading.extract), or None.

    orz: what that rule extracts. boxed: the last box that is an option, else the last "Answer: X". final: the same
    within the last closed <answer> block, or the block's text where it is an option. whole and likelihood: the response
    where it is an option. mmlu-pro and answer-is: see below; their letters may lie beyond the options, as there.
    """
    if extractor == "mmlu-pro":
        return extract_mmlu_pro(response)
    if extractor == "answer-is":
        return extract_answer_is(response)
    if extractor in ("whole", LIKELIHOOD):
        return letter_of(response, num_choices)
    if extractor == "orz":
        answer = extract_orz(response)
        return None if answer is None else letter_of(answer, num_choices)
    block = answer_block(response) if extractor == "final" else None
    text = response if block is None else block
    in_block = None if block is None else letter_of(block, num_choices)
    return _boxed_letter(text, num_choices) or in_block or _announced_letter(text, num_choices)


def extract_answer_is(response: str) -> str | None:
    """The letter of the first "answer is (X)": MMLU-Pro's first rule, and lm-eval's only one for it."""
    found = _ANSWER_IS.search(response)
    return found.group(1) if found else None


def extract_mmlu_pro(response: str) -> str | None:
    """The letter that MMLU-Pro's official script finds, or None where it would guess; linear in the response.

    The first "answer is (X)", else in the first line that has an "Answer: X" the last of these, else the last letter
    from A to J that is a word of its own.
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


def _boxed_letter(text: str, num_choices: int) -> str | None:
    for start, end in reversed(box_spans(text)):
        if end - start <= _MAX_FORM_CHARS and (letter := letter_of(text[start:end], num_choices)):
            return letter
    return None


def _announced_letter(text: str, num_choices: int) -> str | None:
    last = chr(ord("A") + num_choices - 1)
    # The look-ahead keeps "Answer: Because ..." from choosing B.
    found = re.findall(rf"(?i:answer[ \t]*:[ \t]*\$?\(?([A-{last}])\)?\$?)(?![A-Za-z])", text)
    return found[-1].upper() if found else None


def _option(letter: str, num_choices: int) -> str | None:
    return letter if ord(letter) - ord("A") < num_choices else None
