"""Numbers in the documents, from the records: `python -m tests.documents.numbers` writes them, a guard compares.

`quotes.yaml` has sentences as templates. A field `{RECORD > KEY > KEY | DECIMALS}` is a number of
benchmarks/results/RECORD.json; `| 1%` is in percent, `| 0 / 1000` divided, `| 1 + KEY` a sum of two of one group.
White space of a template matches any, so that a paragraph may be wrapped anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.guards.tree import PROJECT

RECORDS = PROJECT / "benchmarks" / "results"
QUOTES = Path(__file__).with_name("quotes.yaml")
_FIELD = re.compile(r"\{(?P<place>[^{}|]+)\|(?P<form>[^{}]+)\}")
_FORM = re.compile(r"(?P<decimals>\d)(?P<percent>%?)(?: / (?P<divisor>\d+))?(?: \+ (?P<added>.+))?")
_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"


@cache
def quotes() -> Mapping[str, tuple[str, ...]]:
    """Templates by document."""
    found = yaml.safe_load(QUOTES.read_text(encoding="utf-8"))
    return {document: tuple(lines) for document, lines in found.items()}


@cache
def record(name: str) -> Any:
    """The content of a record."""
    return json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))


def records_of(template: str) -> set[str]:
    """The records that a template takes numbers from."""
    return {field["place"].split(">")[0].strip() for field in _FIELD.finditer(template)}


def filled(template: str) -> str:
    """The template with the numbers of today's records."""
    return _FIELD.sub(lambda field: number(field["place"], field["form"]), template)


def number(place: str, form: str) -> str:
    """A number of a record, rounded half up, as the documents write it."""
    asked = _FORM.fullmatch(form.strip())
    assert asked, f"the form {form!r} is not DECIMALS, DECIMALS%, or one of them with / DIVISOR or + KEY"
    name, *keys = (key.strip() for key in place.split(">"))
    value = _value(record(name), keys)
    if asked["added"]:
        value += _value(record(name), [*keys[:-1], asked["added"].strip()])
    value = value * (100 if asked["percent"] else 1) / Decimal(asked["divisor"] or 1)
    return f"{value.quantize(Decimal(1).scaleb(-int(asked['decimals'])), ROUND_HALF_UP):,}"


def _value(found: Any, keys: list[str]) -> Decimal:
    for key in keys:
        found = found[int(key)] if isinstance(found, list) else found[key]
    return Decimal(str(found))


def wrong(document: str, text: str) -> Iterator[str]:
    """A sentence for every template of the document that does not hold there."""
    plain = " ".join(text.split())
    for template in quotes().get(document, ()):
        wanted = " ".join(filled(template).split())
        if wanted not in plain:
            found = _pattern(template).search(text)
            yield f"{document}: {' '.join(found.group().split()) if found else 'nothing'!r}, the record says {wanted!r}"


def corrected(document: str, text: str) -> str:
    """The document with the numbers of the records. ValueError for a sentence that is not there, or twice."""
    for template in quotes().get(document, ()):
        pattern, wanted = _pattern(template), filled(template)
        found = list(pattern.finditer(text))
        if len(found) != 1:
            raise ValueError(f"{document} has {len(found)} places like {template!r}, wanted one; change quotes.yaml.")
        numbers = re.fullmatch(_pattern(template), wanted)
        assert numbers
        text = text[: found[0].start()] + _with(found[0], numbers.groups()) + text[found[0].end() :]
    return text


def _pattern(template: str) -> re.Pattern[str]:
    """Matches the template with any numbers and any white space."""
    fixed, at = [], 0
    for field in _FIELD.finditer(template):
        fixed.append(template[at : field.start()])
        at = field.end()
    fixed.append(template[at:])
    return re.compile(_NUMBER.join(re.sub(r"(\\ |\s)+", r"\\s+", re.escape(part)) for part in fixed))


def _with(found: re.Match[str], numbers: tuple[str | Any, ...]) -> str:
    """The matched text with other numbers."""
    parts, at = [], found.start()
    for group, value in enumerate(numbers, start=1):
        parts += [found.string[at : found.start(group)], str(value)]
        at = found.end(group)
    return "".join(parts) + found.string[at : found.end()]


def main() -> None:
    """Write the numbers of the records into the documents."""
    for document in quotes():
        path = PROJECT / document
        path.write_text(corrected(document, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
