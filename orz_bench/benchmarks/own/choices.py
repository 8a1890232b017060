"""The options and the gold of multiple-choice rows. A gold that could name two options is refused.

How golds name options is decided by the whole table: a form (letter, number from 0, number from 1, text of the option)
that fits every row is a reading, and all readings must agree on every row.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from orz_bench.benchmarks.own.address import GoldForm, TableOptions
from orz_bench.benchmarks.own.columns import OPTIONS, Row, Table, at
from orz_bench.errors import DataError, counted

_LETTER = re.compile(r"\(?([A-Za-z])[).]?")
_MOST = len(string.ascii_uppercase)
_FORMS: tuple[GoldForm, ...] = get_args(GoldForm)
_IN_WORDS: Mapping[GoldForm, str] = {
    "letter": "letters",
    "index0": "numbers from 0",
    "index1": "numbers from 1",
    "text": "texts of options",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The options of one row; no texts where the question contains them."""

    num: int
    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Names of the options that the table has itself; else they are A, B, C, ..."""

    def place(self, gold: str, form: GoldForm) -> int | None:
        """Which option a gold names in this form, from 0; None if it names none."""
        if form == "text":
            places = [number for number, text in enumerate(self.texts) if text.strip() == gold]
            return places[0] if len(places) == 1 else None
        if form == "letter":
            return self._by_letter(gold)
        if self.labels or not re.fullmatch(r"[0-9]{1,2}", gold):
            return None
        number = int(gold) - (form == "index1")
        return number if 0 <= number < self.num else None

    def _by_letter(self, gold: str) -> int | None:
        if self.labels:
            return self.labels.index(gold) if gold in self.labels else None
        match = _LETTER.fullmatch(gold)
        number = string.ascii_uppercase.index(match[1].upper()) if match else self.num
        return number if number < self.num else None


def choices_of(table: Table, options: TableOptions) -> list[Choice]:
    """The options of every row. DataError where they are missing, or could be read in two ways."""
    column, letters = _source(table, options)
    found = []
    for where, row in table.rows:
        try:
            if options.num_choices is not None:
                found.append(Choice(options.num_choices))
            elif column is not None:
                found.append(_from_value(at(row, column)))
            else:
                found.append(_from_columns(row, letters))
        except DataError as error:
            raise table.fault(where, error) from error
    return found


def has_options(table: Table) -> bool:
    """Whether a table looks like multiple choice."""
    return any(column.lower() in OPTIONS for column in table.columns) or len(table.letter_columns()) > 1


def golds_of(table: Table, choices: Sequence[Choice], *, golds: Sequence[str], form: GoldForm | None) -> list[str]:
    """The gold of every row as a letter. DataError for golds that fit no form, or several that disagree."""
    rows = list(zip(choices, golds, strict=True))
    readings: dict[GoldForm, list[int]] = {}
    faults: dict[GoldForm, int] = {}
    for each in (form,) if form is not None else _FORMS:
        places = [choice.place(gold, each) for choice, gold in rows]
        if None in places:
            faults[each] = places.index(None)
        else:
            readings[each] = [place for place in places if place is not None]
    if not readings:
        raise _no_reading(table, golds, faults=faults)
    first, *others = readings.items()
    for other, also in others:
        differing = next((n for n, pair in enumerate(zip(first[1], also, strict=True)) if pair[0] != pair[1]), None)
        if differing is not None:
            letters = [string.ascii_uppercase[found[differing]] for found in (first[1], also)]
            raise DataError(
                f"{table.name}: its golds could be {_IN_WORDS[first[0]]} or {_IN_WORDS[other]}: "
                f"{golds[differing]!r} in {table.rows[differing][0]} is {letters[0]} or {letters[1]}. "
                f"Say which behind the table: {table.example('gold', first[0])} or {table.example('gold', other)}."
            )
    return [string.ascii_uppercase[place] for place in first[1]]


def with_options_shown(question: str, choice: Choice) -> str:
    """The question followed by its options, one a line, unless it ends with them already (in other white space)."""
    lines = [f"{letter}. {text}" for letter, text in zip(string.ascii_uppercase, choice.texts, strict=False)]
    if _squeezed(question).endswith(_squeezed("".join(lines))):
        return question
    return "\n".join([question, *lines])


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _source(table: Table, options: TableOptions) -> tuple[str | None, dict[str, str]]:
    """The column of options, or the columns of letters."""
    if options.num_choices is not None:
        if options.options is not None:
            raise DataError(f"{table.name}: options and num_choices are both given; give one of them.")
        return None, {}
    column = (
        table.named(options.options, option="options") if options.options else table.find(OPTIONS, option="options")
    )
    letters = {} if options.options else table.letter_columns()
    if column is not None and letters:
        raise DataError(
            f"{table.name}: options are in the column {column} and in {', '.join(letters.values())}; name one: "
            f"{table.example('options', column)}."
        )
    if column is None and not letters:
        raise DataError(
            f"{table.name}: no column has options (looked for {', '.join(OPTIONS)} and A, B, C, ...); its columns are "
            f"{table.shown}. Name one behind the table, {table.example('options', 'COLUMN')}, or where the questions "
            f"contain their options say how many: {table.example('num_choices', '4')}."
        )
    return column, letters


def _from_value(value: Any) -> Choice:
    """A list of texts, also as JSON; an object of letters; or, as in ARC, an object with `text` and `label`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DataError(f"its options are no JSON list ({error})") from error
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        labels = tuple(map(str, value.get("label") or ()))
        return _checked(value["text"], labels)
    if isinstance(value, Mapping):
        given = {str(name).strip().upper(): text for name, text in value.items() if text is not None}
        wanted = list(string.ascii_uppercase[: len(given)])
        if sorted(given) != wanted:
            raise DataError(f"its options are called {', '.join(given)}, wanted A, B, C, ... without a gap")
        return _checked([given[letter] for letter in wanted])
    return _checked(value)


def _from_columns(row: Row, letters: Mapping[str, str]) -> Choice:
    texts = {letter: str(row.get(column) if row.get(column) is not None else "") for letter, column in letters.items()}
    given = [letter for letter, text in texts.items() if text.strip()]
    if given != list(string.ascii_uppercase[: len(given)]):
        raise DataError(f"it has the options {', '.join(given) or 'none'}, wanted A, B, C, ... without a gap")
    return _checked([texts[letter] for letter in given])


def _checked(texts: Any, labels: tuple[str, ...] = ()) -> Choice:
    if not isinstance(texts, list) or not all(isinstance(t, str | int | float) and str(t).strip() for t in texts):
        raise DataError(f"its options are {str(texts)[:80]!r}, wanted a list of texts")
    if not 1 <= len(texts) <= _MOST:
        raise DataError(f"it has {counted(len(texts), 'option')}, wanted 1 to {_MOST}")
    if labels and len(set(labels)) != len(texts):
        raise DataError(f"it has {counted(len(texts), 'option')} with the labels {', '.join(labels)}")
    return Choice(len(texts), tuple(map(str, texts)), labels)


def _no_reading(table: Table, golds: Sequence[str], *, faults: Mapping[GoldForm, int]) -> DataError:
    lines = [
        f"as {_IN_WORDS[form]} {golds[n]!r} in {table.rows[n][0]} names no single option" for form, n in faults.items()
    ]
    return DataError(
        f"{table.name}: its golds name no options: {'; '.join(lines)}. Every gold must be the letter, the "
        f"number or the exact text of one option, in the same form in all rows."
    )
