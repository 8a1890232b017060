"""Read the fields of a row of a data file, by any of the names that datasets use."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem

_DOLLAR = re.compile(r"(?<!\\)\$")
"""Not of an amount of money, `\\$18`."""
_COMMA_IN_NUMBER = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_QUESTION_KEYS = ("problem", "question", "Problem", "Question")
_ANSWER_KEYS = ("answer", "final_answer", "Answer")
_ID_KEYS = ("id", "ID", "problem_id", "unique_id", "Record ID")


QUESTION, ANSWER = _QUESTION_KEYS, _ANSWER_KEYS


def require_columns(row: Mapping[str, Any], *wanted: Sequence[str]) -> None:
    """Raise DataError with every column that is missing, each given by the names that it may have, and those found."""
    missing = [" or ".join(names) for names in wanted if not any(name in row for name in names)]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise DataError(f"lacks the column{plural} {', and '.join(missing)}; found {_keys(row)}")


def question_of(row: Mapping[str, Any]) -> str:
    """The question's text, also from the published ORZ format. Raises DataError if there is none."""
    prompt = row.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
        return str(prompt[0].get("value", "")).strip() or _missing("prompt[0].value", row)
    return first_text(row, _QUESTION_KEYS)


def answer_of(row: Mapping[str, Any]) -> str:
    """The gold as text. Raises DataError if it is missing or empty."""
    return first_text(row, _ANSWER_KEYS)


def answers_of(row: Mapping[str, Any]) -> list[str]:
    """The gold's answers, without dollar signs: several where it is a list. Raises DataError if there is none."""
    answers = next((row[key] for key in _ANSWER_KEYS if isinstance(row.get(key), list)), None)
    if answers is None:
        answers = [answer_of(row)]
    texts = [_DOLLAR.sub("", str(answer)).strip() for answer in answers]
    if not texts or not all(texts):
        raise DataError(f"found {answers!r} as the answer, wanted a text, a number, or a list of them")
    return texts


def after_hashes(gold: str) -> str:
    """What follows the last `####`, as in GSM8K's answers, without thousands separators; else the whole text.

    Commas of a list or a point stay: `#### (1, 2)`.
    """
    _, hashes, behind = gold.rpartition("####")
    return _COMMA_IN_NUMBER.sub("", behind.strip()) if hashes and behind.strip() else gold


def id_of(row: Mapping[str, Any], position: int, *, benchmark: str) -> str:
    """The row's own id, else the benchmark's name and the position."""
    for key in _ID_KEYS:
        if isinstance(row.get(key), (str, int)) and str(row[key]).strip():
            return str(row[key])
    return f"{benchmark}-{position}"


def first_text(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of these fields that holds a text or a number."""
    for key in keys:
        if isinstance(row.get(key), (str, int, float)) and str(row[key]).strip():
            return str(row[key]).strip()
    return _missing(" or ".join(keys), row)


def raw_question_of(row: Mapping[str, Any]) -> str:
    """The question's text including surrounding white space. Raises DataError if there is none."""
    question_of(row)
    return next(str(row[key]) for key in _QUESTION_KEYS if str(row.get(key) or "").strip())


def options_of(row: Mapping[str, Any]) -> list[str]:
    """The options of a multiple-choice row. Raises DataError if they are not a list of texts."""
    options = row.get("choices", row.get("options"))
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise DataError(f"found no list of texts under choices or options (keys: {_keys(row)})")
    return options


def letter_answer(row: Mapping[str, Any], *, num_options: int) -> str:
    """The gold as a letter, from a letter or from the option's number (0 is A). Raises DataError for anything else."""
    letters = string.ascii_uppercase[:num_options]
    answer = row.get("answer")
    if type(answer) is int and 0 <= answer < num_options:
        return letters[answer]
    if isinstance(answer, str) and len(answer) == 1 and answer in letters:
        return answer
    raise DataError(f"the answer is {answer!r}, wanted one of the letters {letters}, or an option's number from 0")


def whole_number(text: str) -> str:
    """`142.0` as `142`; anything else as it is."""
    whole, dot, decimals = text.partition(".")
    return whole if dot and decimals and not decimals.strip("0") else text


def math_problem(row: Mapping[str, Any], position: int, *, benchmark: str, gold: str | None = None) -> Problem:
    """A mathematics problem from a row of any known shape."""
    extra = {key: row[key] for key in ("subject", "level", "url", "contest", "answer_type", "unit") if row.get(key)}
    return Problem(
        benchmark=benchmark,
        problem_id=id_of(row, position, benchmark=benchmark),
        question=question_of(row),
        gold=gold if gold is not None else answer_of(row),
        kind="math",
        extra=extra,
    )


def _missing(what: str, row: Mapping[str, Any]) -> str:
    raise DataError(f"found no text under {what} (keys: {_keys(row)})")


def _keys(row: Mapping[str, Any]) -> str:
    return ", ".join(map(str, row)) or "none"
