"""The typed state of a page as its address: one frozen dataclass per page, whose fields are the parameters.

Fields are str, int, bool, Literal[...], one of these or None, or tuple[..., ...] of one. Defaults are omitted from the
address; an invalid value becomes the default and a sentence for the reader.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from types import NoneType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlencode

from orz_bench.errors import counted, nearest

State = TypeVar("State")
Parameters = Mapping[str, Sequence[str]]
"""Name -> values."""

MAX_VALUES = 200
MAX_CHARS = 500


@dataclass(frozen=True, slots=True)
class Read(Generic[State]):
    """A state, and the faults of the address that it was read from."""

    state: State
    faults: tuple[str, ...] = ()


def read(kind: type[State], parameters: Parameters) -> Read[State]:
    """The state given by the parameters; names of other states are ignored."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in fields(kind):  # type: ignore[arg-type]  # every state is a dataclass
        given, cut = _within_limits(field.name, parameters.get(field.name, ()))
        faults += cut
        if not given:
            continue
        if len(given) > 1 and get_origin(hints[field.name]) is not tuple:
            faults.append(f"{field.name} is in the address {counted(len(given), 'time')}; the last one is used.")
        try:
            values[field.name] = _parse(given, hints[field.name])
        except ValueError as error:
            faults.append(
                f"{field.name}={_wrong(given, hints[field.name])!r} in the address: {error}; the default is used."
            )
    return Read(kind(**values), tuple(faults))


def _within_limits(name: str, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The values that are read, and sentences about the others."""
    short = [value for value in given if len(value) <= MAX_CHARS]
    faults = [
        f"{name} in the address has {len(value):,} characters, the limit is {MAX_CHARS}; it is not used."
        for value in given
        if len(value) > MAX_CHARS
    ][:3]
    if len(short) > MAX_VALUES:
        faults.append(f"{name} is in the address {counted(len(short), 'time')}; the first {MAX_VALUES} are used.")
    return short[:MAX_VALUES], faults


def _wrong(given: Sequence[str], hint: Any) -> str:
    """The first value that cannot be read."""
    for value in given if get_origin(hint) is tuple else given[-1:]:
        try:
            _parse([value], hint)
        except ValueError:
            return value
    return given[-1]


def unknown(names: Sequence[str], known: Collection[str]) -> list[str]:
    """A sentence for every parameter that no page has."""
    return [
        f"{name[:60]} in the address is no parameter of this app{nearest(name, list(known))}; it is not used."
        for name in names
        if name not in known
    ]


def parameters(state: Any) -> dict[str, list[str]]:
    """The shortest parameters from which `read` gives this state."""
    found: dict[str, list[str]] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if value != _default(field):
            found[field.name] = [_text(one) for one in (value if isinstance(value, tuple) else (value,))] or [""]
    return found


def changed(kind: type[Any], given: Parameters, **changes: Any) -> dict[str, list[str]]:
    """The parameters of every field after these changes to the state in `given`; no values for a default."""
    state = replace(read(kind, given).state, **changes)
    found = parameters(state)
    return {field.name: found.get(field.name, []) for field in fields(state)}


def link(page: str, state: Any = None) -> str:
    """A relative address: `training?run=a&run=b`."""
    query = urlencode(parameters(state), doseq=True) if state is not None else ""
    return f"{page}?{query}" if query else page


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _parse(given: Sequence[str], hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(dict.fromkeys(_parse_one(value, get_args(hint)[0]) for value in given if value))
    return _parse_one(given[-1], hint)


def _parse_one(value: str, hint: Any) -> Any:
    options = get_args(hint)
    if get_origin(hint) is Literal:
        return _one_of(value, options)
    if options:
        assert get_origin(hint) is Union or NoneType in options
        return None if value == "" else _parse_one(value, next(one for one in options if one is not NoneType))
    if hint is bool:
        return _one_of(value, ("0", "1")) == "1"
    return _whole(value) if hint is int else value


def _one_of(value: str, options: Sequence[Any]) -> Any:
    by_text = {_text(option): option for option in options}
    if value not in by_text:
        raise ValueError(f"wanted one of {', '.join(by_text)}")
    return by_text[value]


def _whole(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= 12):
        raise ValueError("wanted a whole number from 0")
    return int(value)
