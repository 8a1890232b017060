"""Filters and rollouts as parameters of an address, and back. What an address cannot mean is left out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from app.queries.filters import ORDERS, Filters
from app.queries.keys import RowKey
from app.queries.reasons import BY_NAME
from app.queries.search import MAX_PATTERN_CHARS

Parameters = Mapping[str, Sequence[str]]
"""Name -> values, as `st.query_params.to_dict()` with `get_all`."""

_MAX_VALUE = 1 << 40
_MAX_VALUES = 200


def _text(value: str) -> str:
    return value[:MAX_PATTERN_CHARS]


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and int(value) < _MAX_VALUE else None


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: value if value in allowed else None


def _yes(value: str) -> bool:
    return value == "1"


@dataclass(frozen=True, slots=True)
class _Parameter:
    """How a field stands in an address."""

    name: str
    parse: Callable[[str], Any]
    is_list: bool = False


_FIELDS: Mapping[str, _Parameter] = MappingProxyType(
    {
        "kind": _Parameter("kind", _one_of("eval", "train")),
        "benchmarks": _Parameter("bench", _text, is_list=True),
        "steps": _Parameter("step", _whole, is_list=True),
        "fingerprints": _Parameter("protocol", _text, is_list=True),
        "verdicts": _Parameter("verdict", _text, is_list=True),
        "stop_reasons": _Parameter("stop", _text, is_list=True),
        "min_tokens": _Parameter("min_tokens", _whole),
        "max_tokens": _Parameter("max_tokens", _whole),
        "min_reflections": _Parameter("min_reflections", _whole),
        "max_reflections": _Parameter("max_reflections", _whole),
        "extractors": _Parameter("extractors", _one_of("differ", "agree")),
        "reasons": _Parameter("reason", _one_of(*BY_NAME), is_list=True),
        "problem": _Parameter("problem", _text),
        "tags": _Parameter("tag", _text, is_list=True),
        "seen": _Parameter("seen", _one_of("seen", "unseen", "overridden")),
        "text": _Parameter("q", _text),
        "mode": _Parameter("mode", _one_of("literal", "regex")),
        "ignores_case": _Parameter("any_case", _yes),
        "order": _Parameter("order", _one_of(*ORDERS)),
        "descending": _Parameter("descending", _yes),
    }
)
assert set(_FIELDS) == {field.name for field in fields(Filters)}


def filters_of(parameters: Parameters, *, default: Filters | None = None) -> Filters:
    """The filters of an address; what it does not name, or names wrongly, is that of `default`."""
    found: dict[str, Any] = {}
    for name, parameter in _FIELDS.items():
        values = [parameter.parse(value) for value in parameters.get(parameter.name, ())[:_MAX_VALUES]]
        known = [value for value in values if value not in (None, "")]
        if known:
            found[name] = tuple(dict.fromkeys(known)) if parameter.is_list else known[-1]
    base = default or Filters()
    return Filters(**{field.name: found.get(field.name, getattr(base, field.name)) for field in fields(Filters)})


def parameters_of(filters: Filters, *, default: Filters | None = None) -> dict[str, list[str]]:
    """The shortest address of the filters: what is as in `default` is left out. The inverse of filters_of."""
    base = default or Filters()
    found: dict[str, list[str]] = {}
    for name, parameter in _FIELDS.items():
        value = getattr(filters, name)
        if value != getattr(base, name) and value not in (None, "", ()):
            found[parameter.name] = [_shown(one) for one in (value if parameter.is_list else (value,))]
    return found


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def names() -> frozenset[str]:
    """The parameters that filters use."""
    return frozenset(parameter.name for parameter in _FIELDS.values())


def key_text(key: RowKey) -> str:
    """A rollout's key as one value of an address."""
    parts = (key.benchmark, str(key.step), key.fingerprint, key.problem_id, str(key.sample_index))
    return "~".join(quote(part, safe="").replace("~", "%7E") for part in parts)


def key_of(text: str) -> RowKey | None:
    """The inverse of key_text; None for any other text."""
    parts = [unquote(part) for part in text.split("~")]
    if len(parts) != 5:
        return None
    step, sample_index = _whole(parts[1]), _whole(parts[4])
    if step is None or sample_index is None or sample_index >= 1 << 31:
        return None
    return RowKey(parts[0], step, parts[2], parts[3], sample_index)
