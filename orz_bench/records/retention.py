"""Drops from the rollouts of an old training step what no rule keeps (rules: keep_rules.py).

What is dropped is null; `extra` tells the length and the hash of a text that was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from orz_bench.records import parquet
from orz_bench.records.keep_rules import Content, KeepRule, Retention
from orz_bench.records.parquet import ENTROPIES, TOKEN_VERSIONS, all_columns, schema_with
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.records.text_hash import text_hash

COLUMNS: Mapping[Content, tuple[str, ...]] = MappingProxyType(
    {"texts": ("completion",), "tokens": ("prompt_token_ids", "token_ids"), "logprobs": ("logprobs",)}
)
"""The columns of each part of a rollout."""
CONTENT_COLUMNS = tuple(column for columns in COLUMNS.values() for column in columns)
"""All of them: a row is whole if none of these is null."""
REDUCED = "rollouts_reduced"
"""The event that tells through which step a run's rollouts were reduced, and by which rules."""
DROPPED_TEXT = "dropped_text"
"""The key in `extra`."""


def reduce_step(folder: RolloutsDir, retention: Retention, *, step: int) -> dict[Content, int]:
    """Drop from an old step's file what no rule keeps; the number of rows without it, by content.

    Twice is as good as once; a crash leaves the file as it was, or reduced. RunDirError as RolloutsDir.read().
    """
    rules = retention.rules
    gone = {name for name, rule in rules.items() if rule.drops_all(step)}
    content_of = {column: name for name, columns in COLUMNS.items() for column in columns}
    content_of |= {TOKEN_VERSIONS.name: "tokens", ENTROPIES.name: "logprobs"}
    names = all_columns(folder.path)
    schema = schema_with(names)
    table = folder.read([each for each in names if content_of.get(each) not in gone or each == "completion"])
    kept = {name: _kept(table, rule, step=step) for name, rule in rules.items()}
    kept["logprobs"] = pc.and_(kept["logprobs"], kept["tokens"])
    dropped = {name: table.num_rows - (pc.sum(mask).as_py() or 0) for name, mask in kept.items()}
    if any(dropped.values()):
        columns = [
            _where(kept[content_of[each.name]], table, wanted=each) if each.name in content_of else table[each.name]
            for each in schema
        ]
        if dropped["texts"]:
            columns[schema.names.index("extra")] = _extra_of_dropped(table, kept["texts"])
        parquet.replace_table(folder.path, pa.table(columns, schema=schema))
    return dropped


def _kept(table: pa.Table, rule: KeepRule, *, step: int) -> pa.Array:
    """For each row, whether it keeps the content."""
    names = table["problem_id"].combine_chunks().dictionary_encode()
    keeps = pa.array([rule.keeps(step, name) for name in names.dictionary.to_pylist()], pa.bool_())
    return keeps.take(names.indices)


def _extra_of_dropped(table: pa.Table, kept: pa.Array) -> pa.Array:
    """`extra` with the length and the hash of every text that is not kept."""
    rows = zip(table["extra"].to_pylist(), table["completion"].to_pylist(), kept.to_pylist(), strict=True)
    return pa.array([extra if stays or text is None else _with_facts(extra, text) for extra, text, stays in rows])


def _with_facts(extra: str | None, text: str) -> str:
    facts = {DROPPED_TEXT: {"num_chars": len(text), "hash": f"{text_hash(text):016x}"}}
    return json.dumps(json.loads(extra or "{}") | facts, ensure_ascii=False)


def dropped_text(extra: str | None) -> tuple[int, int] | None:
    """(length in characters, hash) of a text that was dropped, from the row's `extra`; None if that does not say."""
    try:
        facts = json.loads(extra or "{}")[DROPPED_TEXT]
        return int(facts["num_chars"]), int(facts["hash"], 16)
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def hash_of_response(text: str | None, extra: str | None) -> int:
    """The hash of a response's text, also of one that was dropped; a text that never was counts as empty."""
    facts = dropped_text(extra) if text is None else None
    return text_hash(text or "") if facts is None else facts[1]


def _where(kept: pa.Array, table: pa.Table, *, wanted: pa.Field) -> pa.Array:
    """The column, null where it is not kept; one that was not read is kept nowhere."""
    return (
        pc.if_else(kept, table[wanted.name], pa.scalar(None, wanted.type))
        if wanted.name in table.column_names
        else pa.nulls(len(kept), wanted.type)
    )


def reduction_note(run: RunDir) -> str | None:
    """What is no longer there of a run's rollouts, in a sentence; None if all is."""
    events = run.events(REDUCED)
    if not events:
        return None
    rules = events[-1].get("rules") or {}
    said = ", ".join(f"{name} {rule}" for name, rule in rules.items() if rule != "all")
    return (
        f"the rollouts up to step {events[-1].get('through')} were reduced (rollouts.keep: {said}); measures of texts "
        f"cover those that were kept"
    )
