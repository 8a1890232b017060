"""The last value of every response of a folder: the table `final_values` of an index, from the parts of a critic."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from app.queries.parts import Part


class FinalValues:
    """Keeps the table as the parts on disk are; a part is read once."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._known: dict[int, frozenset[Part]] = {}

    def take_in(self, folder: int, parts: Sequence[Part]) -> None:
        """Make the rows of this folder those of these parts; what cannot be read has none."""
        wanted, known = frozenset(parts), self._known.get(folder, frozenset())
        if known - wanted:
            self._database.execute("DELETE FROM final_values WHERE of_folder = ?", [folder])
            known = frozenset()
        for part in sorted(wanted - known, key=lambda part: part.path):
            try:
                self._database.execute(_INSERT, [folder, str(part.path), folder])
            except duckdb.Error:  # damaged, or just replaced
                continue
        self._known[folder] = wanted


_INSERT = """
INSERT INTO final_values
SELECT ?, problem_id, sample_index, last, chars FROM (
  SELECT problem_id, sample_index::INTEGER AS sample_index, any_value(values[-1]::DOUBLE) AS last,
         any_value(char_ends[-1]::BIGINT) AS chars
  FROM read_parquet(?, hive_partitioning = false) GROUP BY ALL HAVING count(*) = 1
) WHERE isfinite(last) AND (problem_id, sample_index) NOT IN
  (SELECT (of_problem, of_sample) FROM final_values WHERE of_folder = ?)
"""
"""A critic gives a response one value: of what is there twice, none counts."""
