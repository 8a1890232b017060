"""The address of a user's own table: `my.csv:question=prompt:answer=gold`, `hub:OWNER/NAME/FILE`. Reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from orz_bench.errors import ConfigError, nearest
from orz_bench.records.tables import SUFFIXES

HUB = "hub:"
TableKind = Literal["math", "choice", "code"]
GoldForm = Literal["letter", "index0", "index1", "text"]
"""How the gold of a choice names its option: by letter, by number from 0 or from 1, by the option's text."""

_FILE = re.compile(
    rf"(?P<place>.*?(?:{'|'.join(re.escape(suffix) for suffix in SUFFIXES)}))(?::(?P<options>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_HUB = re.compile(r"(?P<place>hub:[^:=]*?)(?::(?P<options>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What is said about a table behind its name; None: found in the table."""

    question: str | None = None
    """The column of questions. A dot leads into a column of objects: `reward_model.ground_truth`."""
    answer: str | None = None
    """The column of golds."""
    id: str | None = None
    """The column of ids."""
    kind: TableKind | None = None
    """How answers are compared; math if it is not said."""
    options: str | None = None
    """The column of a choice's options, as a list."""
    num_choices: int | None = None
    """The number of options, where the questions contain them."""
    gold: GoldForm | None = None
    """How the gold of a choice names its option."""
    tests: str | None = None
    """The column of a program's tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAddress:
    """A table and what is said about it."""

    place: str
    """A path, or `hub:...`."""
    options: TableOptions = TableOptions()

    @property
    def text(self) -> str:
        """As it is given to --bench, in one spelling."""
        given = [(name, getattr(self.options, name)) for name in OPTION_NAMES]
        return ":".join([self.place, *(f"{name}={value}" for name, value in given if value is not None)])


OPTION_NAMES = tuple(field.name for field in fields(TableOptions))
_OPTION = re.compile(rf"\s*(?:{'|'.join(OPTION_NAMES)})\s*=")


def table_address(text: str) -> TableAddress | None:
    """The address, or None for a name that is not that of a table. ConfigError for an option that is none."""
    match = (_HUB if text.startswith(HUB) else _FILE).fullmatch(text)
    if match is None:
        return None
    return TableAddress(place=match["place"], options=_options(match["options"] or "", text))


def with_options_joined(parts: Iterable[str]) -> list[str]:
    """Names that were separated by commas, with `answer=gold` given back to the table before it."""
    names: list[str] = []
    for part in parts:
        if names and _OPTION.match(part) and table_address(names[-1]) is not None:
            names[-1] += f":{part.strip()}"
        else:
            names.append(part)
    return names


def _options(text: str, whole: str) -> TableOptions:
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(":"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in OPTION_NAMES or not value:
            raise ConfigError(
                f"{whole}: {part!r} is not an option of a table{nearest(name, OPTION_NAMES)}; wanted NAME=VALUE with "
                f"one of {', '.join(OPTION_NAMES)}, such as my.csv:question=prompt:answer=gold; several are joined by "
                f"colons."
            )
        if name in found:
            raise ConfigError(f"{whole}: the option {name} is given twice; give it once.")
        found[name] = _checked(name, value, whole=whole)
    return replace(TableOptions(), **found)


def _checked(name: str, value: str, *, whole: str) -> Any:
    allowed = {"kind": get_args(TableKind), "gold": get_args(GoldForm)}.get(name)
    if allowed is not None and value not in allowed:
        raise ConfigError(f"{whole}: {name} is {value!r}{nearest(value, allowed)}; wanted one of {', '.join(allowed)}.")
    if name != "num_choices":
        return value
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 26:
        raise ConfigError(f"{whole}: num_choices is {value!r}, wanted a number from 1 to 26.")
    return int(value)
