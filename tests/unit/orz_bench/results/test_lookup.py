"""Two evaluations are compared as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.parquet import part_files
from orz_bench.results.lookup import compare_runs, paired_outcomes
from tests.support.runs import a_run


@pytest.mark.parametrize("rows_left", [0, 7])
def test_an_evaluation_that_has_lost_samples_is_not_compared(tmp_path: Path, rows_left: int) -> None:
    """A part that was moved away left fewer questions, which were compared as if there were no others."""
    run = a_run(tmp_path / "run", num_steps=2)
    first, last = f"{run.path}@0", f"{run.path}@2"
    (found,) = compare_runs(first, last, benchmarks=None, across_protocols=False)
    assert found.comparison.num_questions == 10
    path = part_files(next(each for each in run.evaluations() if each.step == 2).path)[0]
    table = pq.read_table(path, partitioning=None)
    if rows_left:
        pq.write_table(table.slice(0, rows_left), path)
    else:
        path.unlink()
    for refused in (compare_runs, paired_outcomes):
        with pytest.raises(RunDirError, match=f"has {rows_left} of the .* that its summary counts"):
            refused(first, last, benchmarks=["arithmetic"], across_protocols=False)
