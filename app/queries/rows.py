"""Rollouts of a selection as records: a page of the list, neighbours, one with all its texts, a group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from app.queries.facts import parsed_object
from app.queries.index import RunIndex
from app.queries.keys import KEY_COLUMNS, RowKey
from app.queries.measures import PREVIEW_CHARS, SHORT_CHARS, head
from app.queries.reasons import names_of
from app.queries.selection import Selection
from orz_bench.errors import DataError, counted
from orz_bench.records.retention import hash_of_response

MAX_PAGE = 500
_NUMBERS = (
    "id", "part", '"row"', *KEY_COLUMNS, "num_tokens", "stop_reason", "verdict", "second_verdict", "reward",
    "advantage", "value", "final_value", "num_chars", "text_hash", "reflections", "repetition", "ends_in_loop",
    "keeps_form", "group_size", "group_correct", "group_graded", "group_reward", "num_same", "reasons",
)  # fmt: skip
_HEADS = ("question_head", "preview", "gold_head", "extracted_head", "why_head")
_TEXTS = (("question", PREVIEW_CHARS), ("completion", PREVIEW_CHARS), ("gold", SHORT_CHARS), ("extracted", SHORT_CHARS),
          ("why", SHORT_CHARS))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rollout in a list: numbers, and the beginnings of the texts. Unknown is None."""

    id: int
    key: RowKey
    num_tokens: int | None
    stop_reason: str | None
    verdict: str | None
    second_verdict: str | None
    reward: float | None
    advantage: float | None
    value: float | None
    """Of the prompt, by the critic of that step of training."""
    final_value: float | None
    """Before the last token, by the critic that assessed the response last."""
    num_chars: int | None
    text_hash: int | None
    reflections: int | None
    repetition: float | None
    ends_in_loop: bool | None
    keeps_form: bool | None
    group_size: int
    group_correct: int
    group_graded: int
    """Number of samples of the group with a verdict."""
    group_reward: float | None
    num_same: int | None
    reasons: tuple[str, ...]
    num_hits: int | None = None
    question: str | None = None
    preview: str | None = None
    gold: str | None = None
    extracted: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Everything that a part contains about one rollout, except its tokens."""

    question: str
    gold: str
    prompt: str
    completion: str
    extracted: str | None
    why: str | None
    second_extractor: str | None
    second_extracted: str | None
    second_verdict: str | None
    seed: int | None
    policy_version: int | None
    grader_version: str | None
    extra: Mapping[str, Any]
    is_stored: bool = True
    """Whether the response's text is on disk; if not, it is empty here."""

    @property
    def text_hash(self) -> int:
        """The hash of the response, also of one that was dropped (rollouts.keep)."""
        return hash_of_response(self.completion if self.is_stored else None, json.dumps(dict(self.extra)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rollout's position in a selection, and its neighbours there."""

    place: int
    """From 0."""
    previous: RowKey | None
    next: RowKey | None


def page(index: RunIndex, selection: Selection, *, offset: int, limit: int) -> list[Row]:
    """Rows `offset` to `offset + limit` of a selection (at most 500), with the beginnings of their texts."""
    first, size = max(offset, 0), min(max(limit, 0), MAX_PAGE)
    columns = ", ".join(_NUMBERS)
    found = index.cursor().execute(
        f"SELECT {columns}, num_hits FROM (FROM {selection.table.name} WHERE place >= ? AND place < ?) "
        "JOIN rollouts USING (id) "
        "ORDER BY place",
        [first, first + size],
    )
    return _with_heads(index, _records(found))


def one_row(index: RunIndex, key: RowKey) -> Row | None:
    """The row with that key, or None if the run does not have it (yet)."""
    found = index.cursor().execute(
        f"SELECT {', '.join(_NUMBERS)}, NULL AS num_hits FROM rollouts WHERE {_key_sql()} ORDER BY id LIMIT 1",
        _values(key),
    )
    rows = _with_heads(index, _records(found))
    return rows[0] if rows else None


def place_of(index: RunIndex, selection: Selection, *, key: RowKey) -> Place | None:
    """Its place in the selection, or None if it is not selected."""
    cursor = index.cursor()
    found = cursor.execute(
        f"SELECT place FROM {selection.table.name} WHERE id IN (SELECT id FROM rollouts WHERE {_key_sql()}) LIMIT 1",
        _values(key),
    ).fetchone()
    if found is None:
        return None
    around = dict(_keys_at(cursor, selection, places=(found[0] - 1, found[0] + 1)))
    return Place(place=found[0], previous=around.get(found[0] - 1), next=around.get(found[0] + 1))


def key_at(index: RunIndex, selection: Selection, *, place: int) -> RowKey | None:
    """The key of the rollout at that place, or None outside the selection."""
    return dict(_keys_at(index.cursor(), selection, places=(place,))).get(place)


def _keys_at(
    cursor: duckdb.DuckDBPyConnection, selection: Selection, *, places: Sequence[int]
) -> list[tuple[int, RowKey]]:
    rows = cursor.execute(
        f"SELECT place, {', '.join(KEY_COLUMNS)} FROM (FROM {selection.table.name} WHERE place IN "
        f"({', '.join('?' * len(places))})) JOIN rollouts USING (id)",
        list(places),
    ).fetchall()
    return [(place, RowKey(*key)) for place, *key in rows]


def group(index: RunIndex, key: RowKey) -> list[Row]:
    """All samples of the same question, step and protocol, by sample index, without texts."""
    found = index.cursor().execute(
        f"SELECT {', '.join(_NUMBERS)}, NULL AS num_hits FROM rollouts "
        f"WHERE {_key_sql(KEY_COLUMNS[:-1])} ORDER BY sample_index, id",
        _values(key)[:-1],
    )
    return [_row(record) for record in _records(found)]


def text_of(index: RunIndex, row: Row) -> Text:
    """The texts of a rollout, from its part. Raises DataError if the part is gone, or now has other rollouts."""
    columns = [name for name in Text.__dataclass_fields__ if name != "is_stored"]
    (record,) = read_rows(index, [row.id], columns=["problem_id", "sample_index", *columns])
    if (record.pop("problem_id"), record.pop("sample_index")) != (row.key.problem_id, row.key.sample_index):
        raise DataError(f"{index.run}: the rollouts of step {row.key.step} were just rewritten; reload the page.")
    record["extra"] = parsed_object(record["extra"])
    record["is_stored"] = record["completion"] is not None
    for name in ("question", "gold", "prompt", "completion"):
        record[name] = record[name] or ""
    return Text(**record)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The sampled tokens of a rollout, if they were stored."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


def tokens_of(index: RunIndex, row: Row) -> Tokens | None:
    """Token ids and log-probabilities, or None if the run did not store them."""
    (record,) = read_rows(index, [row.id], columns=["token_ids", "logprobs"])
    if record["token_ids"] is None or record["logprobs"] is None:
        return None
    return Tokens(tuple(record["token_ids"]), tuple(record["logprobs"]))


def read_rows(index: RunIndex, ids: Sequence[int], *, columns: Sequence[str]) -> list[dict[str, Any]]:
    """These columns of the rows with these ids, in their order. DataError if a part is gone."""
    found = _read(index, ids, columns=columns, source="path")
    if missing := [number for number in ids if number not in found]:
        raise DataError(
            f"{index.run}: {counted(len(missing), 'rollout', verb=('is', 'are'))} no longer on disk; reload the page."
        )
    return [found[number] for number in ids]


def _read(index: RunIndex, ids: Sequence[int], *, columns: Sequence[str], source: str) -> dict[int, dict[str, Any]]:
    """By id: columns of the part files (source `path`) or of the files of their measures (`measures`)."""
    cursor = index.cursor()
    wanted: dict[int, list[int]] = {}
    for number in ids:
        wanted.setdefault(number >> 32, []).append(number & 0xFFFFFFFF)
    found: dict[int, dict[str, Any]] = {}
    for part, rows in wanted.items():
        at = cursor.execute(f"SELECT {source} FROM parts WHERE part = ?", [part]).fetchone()
        if at is None or at[0] is None:
            continue
        try:
            records = _records(
                cursor.execute(
                    f"SELECT {', '.join(columns)}, file_row_number AS part_row FROM read_parquet(?, "
                    "file_row_number = true, hive_partitioning = false) "
                    f"WHERE part_row IN ({', '.join('?' * len(rows))})",
                    [at[0], *rows],
                )
            )
        except duckdb.IOException:
            continue
        found |= {(part << 32) + record.pop("part_row"): record for record in records}
    return found


def _with_heads(index: RunIndex, records: Sequence[dict[str, Any]]) -> list[Row]:
    """Rows with the beginnings of texts: from the measures if they exist, else from the parts."""
    ids = [record["id"] for record in records]
    heads = _read(index, ids, columns=_HEADS, source="measures")
    raw = _read(index, [n for n in ids if n not in heads], columns=[name for name, _ in _TEXTS], source="path")
    for number, texts in raw.items():
        cut = [head(texts[name], limit) if texts[name] is not None else None for name, limit in _TEXTS]
        heads[number] = dict(zip(_HEADS, cut, strict=True))
    return [_row(record, heads.get(record["id"])) for record in records]


def _records(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def _row(record: Mapping[str, Any], heads: Mapping[str, Any] | None = None) -> Row:
    facts = {name: value for name, value in record.items() if name not in {*KEY_COLUMNS, "part", "row", "reasons"}}
    texts = heads or {}
    return Row(
        key=RowKey(*(record[name] for name in KEY_COLUMNS)),
        reasons=names_of(record["reasons"]),
        question=texts.get("question_head"),
        preview=texts.get("preview"),
        gold=texts.get("gold_head"),
        extracted=texts.get("extracted_head"),
        why=texts.get("why_head"),
        **facts,
    )


def _key_sql(columns: Sequence[str] = KEY_COLUMNS) -> str:
    return " AND ".join(f"{name} = ?" for name in columns)


def _values(key: RowKey) -> list[Any]:
    return [getattr(key, name) for name in KEY_COLUMNS]
