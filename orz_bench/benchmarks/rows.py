"""Reading the fields of a row of a data file: by any of the names that datasets use for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem

_QUESTION_KEYS = ("problem", "question", "Problem", "Question")
_ANSWER_KEYS = ("answer", "final_answer", "Answer")
_ID_KEYS = ("id", "ID", "problem_id", "unique_id", "Record ID")


def question_of(row: Mapping[str, Any]) -> str:
    """The question's text, also from the published ORZ format. Raises DataError where there is none."""
    prompt = row.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
        return str(prompt[0].get("value", "")).strip() or _missing("prompt[0].value", row)
    return first_text(row, _QUESTION_KEYS)


def answer_of(row: Mapping[str, Any]) -> str:
    """The gold as text. Raises DataError where it is missing or empty."""
    return first_text(row, _ANSWER_KEYS)


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
    raise DataError(f"found no text under {what} (keys: {', '.join(map(str, row)) or 'none'})")
