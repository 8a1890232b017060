"""Our own JSON lines and Parquet files (`orz-bench export`), and Open-Reasoner-Zero's dumps.

Its dumps are iter{N}_generation_results.json and eval_output_iter{N}_{set}{accuracy}.jsonl. Ours lose nothing: every
column of a rollout comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.formats.table import samples_of
from orz_bench.records.foreign import dumped
from orz_bench.records.tables import parse_json

MARK, KIND = "orz_schema", "orz_kind"
"""Fields of each row of our export: its version, and `evaluation` or `rollouts` (of training)."""
_VERSION = 1


def read(head: Head) -> Contents | None:
    """Our export, or a dump, which is one by its name."""
    if head.container == "lines" and head.has(MARK, "problem_id", "sample_index", "completion"):
        return _export(head)
    if head.container == "parquet" and head.has("problem_id", "sample_index", "completion", "grader_version", "extra"):
        return _dataset(head)
    named = dumped(head.path)
    if named is None:
        return None
    trains = named.benchmark is None
    return Contents(
        what=f"a dump of Open-Reasoner-Zero ({'rollouts' if trains else named.benchmark}, step {named.step})",
        kind="samples",
        samples=partial(samples_of, head, step=named.step, benchmark=named.benchmark or "training"),
        trains=trains,
    )


def _export(head: Head) -> Contents:
    version = head.row[MARK]
    if version != _VERSION:
        raise DataError(f"{head.path}: rollouts of schema {version}, wanted {_VERSION}; export them with this version.")
    return Contents(
        what=f"{counted(sum(1 for _ in head.all_rows()), 'rollout')} exported by orz-bench",
        kind="samples",
        samples=partial(_exported, head),
        trains=head.row.get(KIND) == "rollouts",
    )


def _dataset(head: Head) -> Contents:
    """Our Parquet files: those for datasets, and parts of a run."""
    import pyarrow.parquet as pq

    found = pq.read_schema(head.path).metadata or {}
    trains = found.get(KIND.encode()) == b"rollouts" or "rollouts" in head.path.parts
    what = f"{counted(pq.read_metadata(head.path).num_rows, 'rollout')} exported by orz-bench"
    return Contents(what=what, kind="samples", samples=partial(_exported, head), trains=trains)


def _extra_of(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = parse_json(value, strict=False)
    return value if isinstance(value, dict) else {}


def _exported(head: Head) -> Iterator[ForeignSample]:
    for number, row in cells.numbered(head.all_rows()):
        columns: dict[str, Any] = {name: value for name, value in row.items() if name not in (MARK, KIND, "extra")}
        yield ForeignSample(
            row=number,
            completion=row["completion"],
            problem_id=row["problem_id"],
            sample_index=row["sample_index"],
            benchmark=row.get("benchmark"),
            step=row.get("step"),
            question=row.get("question"),
            gold=row.get("gold"),
            extra=_extra_of(row.get("extra")),
            columns=columns,
        )


FORMAT = Format(name="orz", title="Open-Reasoner-Zero", read=read)
