"""The files of a result: train.jsonl, fates.parquet, pairs.parquet, card.html, card.json; each whole, in this order."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orz_bench.benchmarks.own.columns import ANSWER, IDS, OPTIONS, QUESTION, TESTS, normal
from orz_bench.records.curated import CARD, CARD_PAGE, FATE_COLUMNS, FATES, PAIR_COLUMNS, PAIRS, TRAIN
from orz_bench.records.parquet import disk_error
from orz_rl.curation.card import CardData
from orz_rl.curation.card_page import page
from orz_rl.curation.parts import StageFolder, whole_file, write_json
from orz_rl.curation.rows import Row, rows_of
from orz_rl.curation.stages.mix import order_of

OUTPUTS = (TRAIN, FATES, PAIRS)
_ROWS_PER_BUCKET = 50_000
_NOT_WRITTEN = {*QUESTION, *ANSWER, *OPTIONS, *TESTS, *IDS, "source", "public_test_cases", "private_test_cases"}
"""Columns that a reader of training data could take for another part of a problem."""


class Done(Protocol):
    """A finished stage."""

    @property
    def name(self) -> str:
        """The stage's name."""
        ...

    @property
    def folder(self) -> StageFolder:
        """Its parts."""
        ...


def write_outputs(stages: Sequence[Done], *, out: Path, plan: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Write all files; the card's content."""
    data = CardData(plan=plan, seed=seed)
    for stage in stages:
        data.add_stage(stage.name, stage.folder.facts["by_source"])
    num_parts = stages[0].folder.num_parts
    num_kept = data.num_kept
    with _buckets(out / TRAIN, num_rows=num_kept) as buckets, _parquet(out / FATES, FATE_COLUMNS) as fates:
        for number in range(num_parts):
            table, kept = _part(stages, number)
            fates.write_table(table)
            data.add_fates(table)
            for row in kept:
                buckets.add(order_of(row, seed), row)
    with _parquet(out / PAIRS, PAIR_COLUMNS) as pairs:
        for stage in stages:
            for table in stage.folder.pairs():
                pairs.write_table(table)
                data.add_pairs(table)
    card = data.finished({name: _sha256(out / name) for name in OUTPUTS})
    with whole_file(out / CARD_PAGE) as temporary:
        temporary.write_text(page(card), encoding="utf-8")
    write_json(out / CARD, card)
    return card


def training_row(row: Row) -> dict[str, Any]:
    """A line of train.jsonl: id, problem, answer, source, and short facts such as the difficulty."""
    facts = {
        name: value
        for name, value in row.extra.items()
        if normal(name) not in _NOT_WRITTEN and not (len(name) == 1 or normal(name).startswith(("option_", "choice_")))
    }
    return {"id": row.id, "problem": row.question, "answer": row.answer, "source": row.source, **facts}


def _part(stages: Sequence[Done], number: int) -> tuple[pa.Table, list[Row]]:
    """(the fates of a part's rows in their order, the rows that are kept to the end)."""
    last = stages[-1]
    tables = [_with_fate(stage.folder.dropped(number), stage=stage.name, fate="dropped") for stage in stages]
    everything = last.folder.fates(number)
    kept = everything.filter(pc.equal(everything["reason"], ""))
    tables.append(_with_fate(kept, stage=last.name, fate="kept"))
    table = pa.concat_tables(tables).sort_by("number").combine_chunks()
    return table.cast(FATE_COLUMNS), rows_of(kept)


def _with_fate(table: pa.Table, *, stage: str, fate: str) -> pa.Table:
    columns = {name: table[name] for name in table.column_names} | {
        "row": table["place"],
        "stage": pa.array([stage] * len(table), type=pa.string()),
        "fate": pa.array([fate] * len(table), type=pa.string()),
    }
    return pa.table({name: columns[name] for name in FATE_COLUMNS.names})


@contextlib.contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        yield writer


class _Buckets:
    """Rows in a random order by their places, sorted a bucket at a time."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        self.files = files

    def add(self, place: int, row: Row) -> None:
        """`place`: in [0, 2**63)."""
        line = json.dumps(training_row(row), ensure_ascii=False)
        self.files[place * len(self.files) >> 63].write(f"{place:020d}{row.number:012d}{line}\n".encode())


@contextlib.contextmanager
def _buckets(path: Path, *, num_rows: int) -> Iterator[_Buckets]:
    """Buckets that become a file of lines."""
    names = [path.with_name(f".{path.name}.{n}.tmp") for n in range(num_rows // _ROWS_PER_BUCKET + 1)]
    try:
        with contextlib.ExitStack() as stack:
            yield _Buckets([stack.enter_context(name.open("wb")) for name in names])
        with whole_file(path) as temporary, temporary.open("wb") as file:
            for name in names:
                file.writelines(line[32:] for line in sorted(name.read_bytes().splitlines(keepends=True)))
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        for name in names:
            name.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
