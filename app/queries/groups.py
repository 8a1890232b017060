"""The rollouts of a selection in groups, by any of their facts: how many each has, and its pass rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb

from app.queries.facts import fact_values, question_facts
from app.queries.index import RunIndex
from app.queries.keys import KEY_COLUMNS
from app.queries.reasons import BY_NAME, REASONS, bit
from app.queries.selection import Selection, marked_cursor
from orz_bench.errors import ConfigError, DataError, nearest

MOST_GROUPS = 200
MOST_CHARS = 200
"""Of an answer or a gold by which rollouts are grouped."""
ABOUT = "about:"
"""Before the name of a field that the benchmark says about a question."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rollouts can be grouped by."""

    title: str
    value: str
    """SQL on the columns of the index, or of what is joined to it."""
    is_number: bool = False
    """Whether groups are in the order of their values, else the largest comes first."""
    source: str = ""
    """Where the value comes from, if not from the index: `texts`, `tags` or `facts`."""
    needs_measures: bool = False
    """Whether it is unknown before the responses are measured."""


_POWER = "floor(log2(greatest({}, 1)))::INTEGER"
_TENTH = "try_cast(floor(10 * {}) AS INTEGER)"
POWERS, TENTHS = ("tokens", "chars"), ("advantage", "value", "repetition")
"""Groups of neighbouring numbers: between two powers of two, and of a tenth."""
_FOUND = "list_filter([{}], lambda one: one IS NOT NULL)"
_REASONS = ", ".join(f"CASE WHEN reasons & {bit(one.name)} <> 0 THEN '{one.name}' END" for one in REASONS)
GROUPINGS: Mapping[str, Grouping] = MappingProxyType(
    {
        "bench": Grouping("Benchmark", "benchmark"),
        "kind": Grouping("Training or evaluation", "kind"),
        "step": Grouping("Step", "step", is_number=True),
        "protocol": Grouping("Protocol", "nullif(fingerprint, '')"),
        "problem": Grouping("Problem", "problem_id"),
        "sample": Grouping("Sample", "sample_index", is_number=True),
        "verdict": Grouping("Verdict", "verdict"),
        "second": Grouping("Second verdict", "second_verdict"),
        "stop": Grouping("Stopped by", "stop_reason"),
        "tokens": Grouping("Tokens", _POWER.format("num_tokens"), is_number=True),
        "chars": Grouping("Characters", _POWER.format("num_chars"), is_number=True, needs_measures=True),
        "reflections": Grouping("Reflections", "reflections", is_number=True, needs_measures=True),
        "right": Grouping("Correct in the group", "CASE WHEN group_graded > 0 THEN group_correct END", is_number=True),
        "reward": Grouping("Reward", "reward", is_number=True),
        "advantage": Grouping("Advantage", _TENTH.format("advantage"), is_number=True),
        "value": Grouping("Value", _TENTH.format('"value"'), is_number=True),
        "repetition": Grouping("Repetition", _TENTH.format("repetition"), is_number=True, needs_measures=True),
        "loop": Grouping(
            "Ends in a loop",
            "CASE WHEN ends_in_loop THEN 'yes' WHEN NOT ends_in_loop THEN 'no' END",
            needs_measures=True,
        ),
        "same": Grouping("Samples with the same text", "num_same", is_number=True, needs_measures=True),
        "form": Grouping(
            "Format", "CASE WHEN keeps_form THEN 'kept' WHEN NOT keeps_form THEN 'broken' END", needs_measures=True
        ),
        "look": Grouping(
            "Worth a look",
            f"unnest(CASE WHEN reasons = 0 THEN [NULL] ELSE {_FOUND.format(_REASONS)} END)",
            needs_measures=True,
        ),
        "answer": Grouping("Answer", f"left(trim(extracted), {MOST_CHARS})", source="texts"),
        "gold": Grouping("Gold", f"left(trim(gold), {MOST_CHARS})", source="texts"),
        "why": Grouping("Reason for the verdict", f"left(trim(why), {MOST_CHARS})", source="texts"),
        "tag": Grouping("Tag", "tag", source="tags"),
    }
)
"""By name in addresses; besides these, `about:FIELD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rollouts of one value."""

    value: str | None
    """None: they have no such fact. For POWERS the power of two from which they count, for TENTHS the tenths."""
    num: int
    num_graded: int
    """With a verdict."""
    num_correct: int
    num_problems: int
    mean_tokens: float | None

    @property
    def share(self) -> float | None:
        """Correct / with a verdict; None without any."""
        return self.num_correct / self.num_graded if self.num_graded else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The first groups, and how many there are."""

    rows: tuple[Group, ...]
    total: int


def grouping(index: RunIndex, by: str) -> Grouping:
    """What this name means in the run. ConfigError for an unknown one."""
    if by in GROUPINGS:
        return GROUPINGS[by]
    field = by.removeprefix(ABOUT)
    if by.startswith(ABOUT) and field in fact_values(index):
        return Grouping(field, "fact", source="facts")
    known = [*GROUPINGS, *(f"{ABOUT}{name}" for name in fact_values(index))]
    raise ConfigError(f"unknown group {by!r}{nearest(by, known)}; choose one of {', '.join(known)}.")


def groups(index: RunIndex, selection: Selection, *, by: str) -> Groups:
    """The rollouts of a selection by that fact; with several reasons or tags a rollout is in several groups.

    ConfigError for an unknown name, DataError if a part has been deleted meanwhile.
    """
    chosen = grouping(index, by)
    joined, values = _joined(index, selection, by=by, source=chosen.source)
    order = "value" if chosen.is_number else "num DESC, value"
    try:
        rows = (
            marked_cursor(index, selection.marks)
            .execute(
                f"WITH chosen AS (SELECT r.* FROM {selection.table.name} t JOIN rollouts r USING (id)), "
                f"labelled AS (SELECT {chosen.value} AS value, verdict, num_tokens, benchmark, problem_id FROM chosen "
                f"{joined}) SELECT value::VARCHAR, count(*) AS num, count(verdict), "
                "count(*) FILTER (verdict = 'correct'), count(DISTINCT (benchmark, problem_id)), avg(num_tokens), "
                f"count(*) OVER () FROM labelled GROUP BY value ORDER BY value IS NULL, {order} LIMIT {MOST_GROUPS}",
                values,
            )
            .fetchall()
        )
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DataError(f"{index.run}: rollouts are no longer on disk, or damaged; reload the page.") from error
    names = list(Group.__dataclass_fields__)
    found = tuple(Group(**dict(zip(names, row[:-1], strict=True))) for row in rows)
    return Groups(rows=found, total=rows[0][-1] if rows else 0)


def _joined(index: RunIndex, selection: Selection, *, by: str, source: str) -> tuple[str, list[Any]]:
    """What is joined to the chosen rollouts for a value from elsewhere, with its parameters."""
    if source == "facts":
        question_facts(index)
        facts = "SELECT benchmark, problem_id, value AS fact FROM question_facts WHERE field = ?"
        return f"LEFT JOIN ({facts}) f USING (benchmark, problem_id)", [by.removeprefix(ABOUT)]
    if source == "tags":
        same = " AND ".join(f"of_{name} = {name}" for name in KEY_COLUMNS)
        # Under other names, so that no column is there twice.
        renamed = ", ".join(f"{name} AS of_{name}" for name in (*KEY_COLUMNS, "text_hash"))
        is_same_text = "(of_text_hash IS NULL OR of_text_hash = text_hash)"
        return f"LEFT JOIN (SELECT {renamed}, unnest(tags) AS tag FROM marks) ON {same} AND {is_same_text}", []
    if source == "texts":
        cursor = index.cursor()
        paths = cursor.execute(
            f"SELECT DISTINCT path FROM {selection.table.name} JOIN rollouts USING (id) JOIN parts USING (part)"
        ).fetchall()
        if not paths:
            return "JOIN (SELECT NULL AS gold, NULL AS extracted, NULL AS why) ON false", []
        parquet = "filename = true, file_row_number = true, hive_partitioning = false"
        texts = f"SELECT filename, file_row_number, gold, extracted, why FROM read_parquet(?, {parquet})"
        joined = f'JOIN parts USING (part) JOIN ({texts}) x ON filename = path AND file_row_number = chosen."row"'
        return joined, [[path for (path,) in paths]]
    return "", []


def filter_of(by: str, value: str | None) -> Mapping[str, Any]:
    """The fields of Filters that select a group; empty where no filter does."""
    if value is None:
        return {}
    if by.startswith(ABOUT):
        return {"about": (f"{by.removeprefix(ABOUT)}={value}",)}
    if by in ("kind", "problem"):
        return {by: value}
    if by == "tokens":
        low, high = token_range(value)
        return {"min_tokens": low, "max_tokens": high}
    if by == "reflections":
        return {"min_reflections": int(value), "max_reflections": int(value)}
    names = {
        "bench": "bench", "step": "step", "protocol": "fingerprints", "verdict": "verdicts", "stop": "stop_reasons",
        "look": "reasons", "tag": "tags",
    }  # fmt: skip
    return {names[by]: (int(value) if by == "step" else value,)} if by in names else {}


def token_range(value: str) -> tuple[int, int]:
    """The numbers of a group of POWERS: from a power of two to below the next one, and from 0 in the first."""
    power = int(value)
    return (2**power if power else 0), 2 ** (power + 1) - 1


def value_title(by: str, value: str | None) -> str:
    """A group's value for people."""
    if value is None:
        return "–"
    if by in POWERS:
        low, high = token_range(value)
        return f"{low:,} to {high:,}"
    if by in TENTHS:
        return f"{int(value) / 10:g} to {(int(value) + 1) / 10:g}"
    return BY_NAME[value].title if by == "look" else value
