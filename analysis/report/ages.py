"""Which benchmarks were public before the model's data ended, as a table of the report."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.tables import Table
from orz_bench.contamination.ages import age_table, ages_of
from orz_bench.records.summary import EvalResult

_NOTE = "Questions that are older than the data may be known by heart; orz-bench report has --data-until."


def ages_table(results: Sequence[EvalResult]) -> Table | None:
    """One row for each benchmark and model; None where all benchmarks are generated."""
    tables = age_table(ages_of(results))
    if not tables:
        return None
    (found,) = tables
    rows = tuple(map(tuple, found.rows))
    return Table(title=found.title, headings=tuple(found.headings), rows=rows, note=_NOTE)
