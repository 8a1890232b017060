"""The one-line readers that docs/run-directory.md promises."""

from __future__ import annotations

import pytest

from tests.support.golden_files import GOLDEN

EVALUATION = GOLDEN / "run_v1" / "evals" / "arithmetic"


def test_duckdb() -> None:
    import duckdb

    query = f"select step::int, count(*) from '{EVALUATION}/*/*/part-*.parquet' group by all"
    assert duckdb.execute(query).fetchall() == [(0, 20)]


def test_pandas() -> None:
    import pandas as pd

    parts = sorted(EVALUATION.glob("*/*/part-*.parquet"))
    frame = pd.read_parquet(parts, partitioning=None)  # type: ignore[call-overload]
    assert len(frame) == 20
    assert set(frame["step"]) == {0}


@pytest.mark.filterwarnings("ignore")
def test_datasets(tmp_path_factory: pytest.TempPathFactory) -> None:
    import datasets

    files = str(EVALUATION / "**" / "part-*.parquet")
    cache = str(tmp_path_factory.mktemp("cache"))
    assert datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache).num_rows == 20
