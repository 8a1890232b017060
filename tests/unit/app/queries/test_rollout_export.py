"""An export holds the rollouts of the selection, in its order, as the parts hold them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from app.queries.filters import Filters
from app.queries.index import RunIndex
from app.queries.measure_files import MeasureFiles
from app.queries.rollout_export import selected_rows
from app.queries.selection import select
from tests.support.runs import a_run


def test_the_rows_are_those_of_the_parts(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=3)
    index = RunIndex(run.path, MeasureFiles.of(run.path, name="x", side=tmp_path / "side"))
    index.refresh()
    filters = Filters(kind="train", verdicts=("wrong",), order="tokens", descending=True)
    rows = list(selected_rows(index, select(index, filters), run={"run": "x"}, judged=lambda _: {"note": None}))
    stored = [row for path in run.path.glob("rollouts/*/*.parquet") for row in pq.ParquetFile(path).read().to_pylist()]
    wanted = {(row["step"], row["problem_id"], row["sample_index"]): row for row in stored if row["verdict"] == "wrong"}
    assert len(rows) == len(wanted) > 3
    for row in rows:
        source = wanted[row["step"], row["problem_id"], row["sample_index"]]
        names = ("question", "gold", "completion", "extracted", "num_tokens", "reward", "why")
        assert {name: row[name] for name in names} == {name: source[name] for name in names}
    tokens = [row["num_tokens"] for row in rows]
    assert tokens == sorted(tokens, reverse=True)
    assert all(row["run"] == "x" and row["text_hash"] for row in rows)
    few = selected_rows(index, select(index, filters), run={}, judged=lambda _: {}, most=2)
    assert len(list(few)) == 2
