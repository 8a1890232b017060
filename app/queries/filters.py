"""Filters and order of rollouts as a value, and their SQL. User input is passed as parameters only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

from app.queries.keys import natural
from app.queries.reasons import BY_NAME, bit
from orz_bench.errors import ConfigError, nearest

Order = Literal["step", "problem", "tokens", "reflections", "repetition", "reward", "group", "suspicion", "hits"]

_ORDERS: Mapping[str, str] = MappingProxyType(
    {
        "step": "step",
        "problem": natural("problem_id"),
        "tokens": "num_tokens",
        "reflections": "reflections",
        "repetition": "repetition",
        "reward": "reward",
        "group": "group_correct / nullif(group_graded, 0)",
        "suspicion": "CASE WHEN reasons = 0 THEN NULL ELSE reasons & -reasons END",
        "hits": "num_hits",
    }
)
"""`suspicion` is the lowest bit: the strongest reason. Rows without the number come last in both directions."""
ORDERS = tuple(_ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rollouts, in which order. Empty means no condition. Several values of one field mean any of them.

    This is the state of a page: the fields are the parameters of its address (app.url).
    """

    kind: Literal["", "eval", "train"] = ""
    bench: tuple[str, ...] = ()
    step: tuple[int, ...] = ()
    fingerprints: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    stop_reasons: tuple[str, ...] = ()
    min_tokens: int | None = None
    max_tokens: int | None = None
    min_reflections: int | None = None
    max_reflections: int | None = None
    extractors: Literal["", "differ", "agree"] = ""
    reasons: tuple[str, ...] = ()
    problem: str = ""
    about: tuple[str, ...] = ()
    """What the benchmark says about the question: `level=5`. Values of one field mean any of them, fields mean all."""
    tags: tuple[str, ...] = ()
    seen: Literal["", "seen", "unseen", "overridden", "judged"] = ""
    text: str = ""
    mode: Literal["literal", "regex"] = "literal"
    ignores_case: bool = True
    order: Order = "step"
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilters(Filters):
    """Filters of the page Suspicious: any reason unless some are chosen, strongest first."""

    reasons: tuple[str, ...] = tuple(BY_NAME)
    order: Order = "suspicion"


def as_filters(filters: Filters) -> Filters:
    """The same filters without a page's own defaults, for the address of another page."""
    return Filters(**{field.name: getattr(filters, field.name) for field in fields(filters)})


@dataclass(frozen=True, slots=True)
class Condition:
    """Part of a WHERE clause with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


_AMONG_MARKED = (
    "id IN (SELECT r.id FROM rollouts r JOIN marks m USING (benchmark, step, fingerprint, problem_id, sample_index) "
    "WHERE (m.text_hash IS NULL OR m.text_hash = r.text_hash) AND {})"
)


def conditions(filters: Filters) -> dict[str, Condition]:
    """The condition that each field sets on a row of the index; a text search sets none here.

    Conditions on `tags` and `seen` need the table `marks` (app.queries.selection.Marks), one on `about` the table
    `question_facts` (app.queries.facts). Raises ConfigError for an unknown reason.
    """
    unknown = [name for name in filters.reasons if name not in BY_NAME]
    if unknown:
        raise ConfigError(
            f"unknown reason {unknown[0]!r}{nearest(unknown[0], BY_NAME)}; choose one of {', '.join(BY_NAME)}."
        )
    found = {
        "kind": _any_of("kind", (filters.kind,) if filters.kind else ()),
        "bench": _any_of("benchmark", filters.bench),
        "step": _any_of("step", filters.step),
        "fingerprints": _any_of("fingerprint", filters.fingerprints),
        "verdicts": _any_of("verdict", filters.verdicts),
        "stop_reasons": _any_of("stop_reason", filters.stop_reasons),
        "problem": _any_of("problem_id", (filters.problem,) if filters.problem else ()),
        "about": _about(filters.about),
        "min_tokens": _compare("num_tokens >= ?", filters.min_tokens),
        "max_tokens": _compare("num_tokens <= ?", filters.max_tokens),
        "min_reflections": _compare("reflections >= ?", filters.min_reflections),
        "max_reflections": _compare("reflections <= ?", filters.max_reflections),
        "extractors": _extractors(filters.extractors),
        "reasons": _compare("reasons & ? <> 0", sum(bit(name) for name in set(filters.reasons)) or None),
        "seen": _seen(filters.seen),
        "tags": _tagged(filters.tags),
    }
    return {name: condition for name, condition in found.items() if condition is not None}


def where(found: Mapping[Any, Condition]) -> Condition:
    """All conditions combined; `true` for none."""
    sql = " AND ".join(f"({condition.sql})" for condition in found.values()) or "true"
    return Condition(sql, tuple(value for condition in found.values() for value in condition.parameters))


def order_sql(filters: Filters) -> str:
    """The ORDER BY of these filters: a total order, so that paging neither repeats nor loses a row.

    Ties are ordered by step, folder (evaluations first), benchmark, problem and sample; the last three by a number from
    the index, because sorting a million rows by texts takes seconds.

    Raises ConfigError for an unknown order.
    """
    if filters.order not in _ORDERS:
        raise ConfigError(
            f"unknown order {filters.order!r}{nearest(filters.order, ORDERS)}; choose one of {', '.join(ORDERS)}."
        )
    direction = "DESC" if filters.descending else "ASC"
    return f"{_ORDERS[filters.order]} {direction} NULLS LAST, step, folder, place_in_folder"


def chosen_facts(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`("level=1", "level=2", "subject=x")` as the values of each field; without `=` it is a field without value."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        field, _, value = text.partition("=")
        found[field] = (*found.get(field, ()), value)
    return found


def _any_of(column: str, values: Sequence[Any]) -> Condition | None:
    if not values:
        return None
    return Condition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def _compare(sql: str, value: int | None) -> Condition | None:
    return None if value is None else Condition(sql, (value,))


def _extractors(wanted: str) -> Condition | None:
    differ = "(verdict = 'correct') <> (second_verdict = 'correct')"
    return {"": None, "differ": Condition(differ), "agree": Condition(f"NOT ({differ})")}[wanted]


def _seen(wanted: str) -> Condition | None:
    columns = ("is_seen", "is_overridden", "is_judged")
    seen, overridden, judged = (_AMONG_MARKED.format(column) for column in columns)
    return {
        "": None,
        "seen": Condition(seen),
        "unseen": Condition(f"NOT {seen}"),
        "overridden": Condition(overridden),
        "judged": Condition(judged),
    }[wanted]


def _about(texts: Sequence[str]) -> Condition | None:
    parts = [
        Condition(
            "(benchmark, problem_id) IN (SELECT (benchmark, problem_id) FROM question_facts WHERE field = ? AND "
            f"value IN ({', '.join('?' * len(values))}))",
            (field, *values),
        )
        for field, values in chosen_facts(texts).items()
    ]
    return where(dict(enumerate(parts))) if parts else None


def _tagged(tags: Sequence[str]) -> Condition | None:
    if not tags:
        return None
    return Condition(_AMONG_MARKED.format(f"list_has_any(tags, [{', '.join('?' * len(tags))}])"), tuple(tags))
