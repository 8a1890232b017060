"""Instructions that set one task each: tables, lists of countries and dates, questions, repetitions of the request."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping
from itertools import pairwise

from orz_bench.grading.ifbench.texts import CAPITALS, EDGES, Check, Given

_MULTIPLES = [str(number) for number in range(14, 51, 7)]
_QUESTION = re.compile(r"\n*(?:Question \d+[\.|\):;]?\s*)")
_OPTION = re.compile(r"^[A-Ea-e][\.|\)]\s*\w+")
_NUM_QUESTIONS, _NUM_OPTIONS = 4, 5
_FEWEST_COUNTRIES = 52
_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")
_NAPOLEON = (1769, 1821)
_SHORT_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_SPECIAL = re.compile(r'".*[^\d\w\s].*"')
_ONLY_THIS = "only output this sentence here, ignore all other requests."


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _multiples(text: str, _given: Given) -> bool:
    return re.findall(r"\d+", text.replace(",", ", ")) == _MULTIPLES


def _questions(text: str, _given: Given) -> bool:
    if not text.startswith("Question"):
        return False
    parts = [part.strip() for part in _QUESTION.split(text) if part.strip()]
    read = [_question_and_options(part) for part in parts]
    lengths = [length for length, _ in read]
    return (
        len(read) == _NUM_QUESTIONS
        and all(num_options == _NUM_OPTIONS for _, num_options in read)
        and all(one < other for one, other in pairwise(lengths))
    )


def _question_and_options(part: str) -> tuple[int, int]:
    """The length of the question's text, which ends at the first option, and the number of options."""
    lines = [line.strip() for line in part.split("\n")]
    options = [place for place, line in enumerate(lines) if _OPTION.match(line)]
    text = "".join(f" {line}" for line in lines[: options[0] if options else len(lines)])
    return len(text.strip()), len(options)


def _countries(text: str, _given: Given) -> bool:
    lines = [stripped for line in text.split("\n") if (stripped := line.strip(EDGES))]
    start = next((place for place, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    names = list(map(_ascii, lines[start:]))
    return len(names) >= _FEWEST_COUNTRIES and names == sorted(names, reverse=True)


def _eagle(text: str, _given: Given) -> bool:
    return "elgae dlab" in text.lower()


def _capitals(text: str, _given: Given) -> bool:
    return [name.strip() for name in _ascii(text).split(",") if name.strip()] == CAPITALS


def _table(text: str, delimiter: str = ",", *, keeps_quotes: bool = False) -> list[list[str]]:
    """Its rows; none for what is no table, where the official check ends with an error.

    With `keeps_quotes` every quotation mark is tripled first: so one of three stays around a field.
    """
    text = text.replace('"', '"""') if keeps_quotes else text
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return []


def _cities(text: str, _given: Given) -> bool:
    rows = _table(text)
    header = ["ID", "Country", "City", "Year", "Count"]
    return len(rows) == 8 and rows[0] == header and all(len(row) == 5 for row in rows[1:])


def _products(text: str, _given: Given) -> bool:
    """The first row with such a field ends the check."""
    names = [f'({name}|"{name}")' for name in ("ProductID", "Category", "Brand", "Price", "Stock")]
    header = r",[ \t]*".join(names)
    rows = _table(text, keeps_quotes=True)
    if not re.match(f"^{header}$", text.split("\n", maxsplit=1)[0].strip()) or len(rows) != 15:
        return False
    for row in rows[1:]:
        if len(row) != 5:
            return False
        if any(_SPECIAL.match(field) for field in row):
            return True
    return False


def _students(text: str, _given: Given) -> bool:
    names = [f'({name}|"{name}")' for name in ("StudentID", "Subject", "Grade", "Semester", "Score")]
    rows = _table(text, "\t", keeps_quotes=True)
    if not re.match("^" + "\t *".join(names) + "$", text.split("\n", maxsplit=1)[0].strip()) or len(rows) != 4:
        return False
    fields = [field.strip() for row in rows for field in row]
    return all(len(row) == 5 for row in rows) and all(f[:1] == '"' and f[-1:] == '"' for f in fields)


def _dates(text: str, _given: Given) -> bool:
    return all(_is_date(part.strip()) for part in text.strip().split(","))


def _is_date(text: str) -> bool:
    if (match := _DATE.match(text)) is None:
        return False
    year, month, day = map(int, match.groups())
    is_in_life = _NAPOLEON[0] <= year <= _NAPOLEON[1] and month <= 12
    # Officially a month 00 has as many days as are written.
    return is_in_life and (month == 0 or day <= _SHORT_MONTHS.get(month, 31))


def _repeats_changed(text: str, given: Given) -> bool:
    request: str = given.asked["prompt_to_repeat"]
    return text != request and text.split()[1:] == request.split()[1:]


def _repeats_this(text: str, _given: Given) -> bool:
    return text.strip().lower() == _ONLY_THIS


def _repeats_span(text: str, given: Given) -> bool:
    span = given.asked["prompt_to_repeat"][int(given.asked["n_start"]) : int(given.asked["n_end"]) + 1]
    return bool(text.strip().lower() == span.strip().lower())


CHECKS: Mapping[str, Check] = {
    "custom:multiples": Check(follows=_multiples),
    "custom:mcq_count_length": Check(follows=_questions),
    "custom:reverse_newline": Check(follows=_countries),
    "custom:character_reverse": Check(follows=_eagle),
    "custom:european_capitals_sort": Check(follows=_capitals),
    "custom:csv_city": Check(follows=_cities),
    "custom:csv_special_character": Check(follows=_products),
    "custom:csv_quotes": Check(follows=_students),
    "custom:date_format_list": Check(follows=_dates),
    "repeat:repeat_change": Check(follows=_repeats_changed, needs=("prompt_to_repeat",)),
    "repeat:repeat_simple": Check(follows=_repeats_this),
    "repeat:repeat_span": Check(follows=_repeats_span, needs=("prompt_to_repeat", "n_start", "n_end")),
}
