"""The index of a run: one narrow row per rollout in an in-memory DuckDB, without texts.

It holds what filters and sorting need (about 250 bytes per rollout); texts remain in the parts and are found by `part`
and `row`. `refresh` reads only folders whose parts or measures have changed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from app.queries.final_values import FinalValues
from app.queries.keys import natural
from app.queries.measure_files import MeasureFiles
from app.queries.parts import Folder, Part, folders_of, num_summarised
from app.queries.reasons import reasons_sql
from app.queries.spill import in_memory
from orz_bench.records.judged import IS_JUDGED_SQL, NO_RESPONSE
from orz_bench.records.parquet import is_whole

FAILED = "every request failed, and no row has a response"
NOT_GRADED = "the responses have not been graded"
"""Why samples have no verdicts."""
_FACTS = "problem_id, sample_index, num_tokens, stop_reason, verdict, second_verdict, reward, advantage, value"
_MEASURES = (
    "num_chars, text_hash, reflections, repetition, ends_in_loop, keeps_form, reasoning_chars, shows_work, "
    "gold_in_text, gold_at_end"
)

_TABLES = """
CREATE TABLE folders (
  folder INTEGER, kind VARCHAR, benchmark VARCHAR, step BIGINT, fingerprint VARCHAR, is_damaged BOOLEAN,
  num_samples BIGINT
);
CREATE TABLE parts (part INTEGER, folder INTEGER, path VARCHAR, measures VARCHAR);
CREATE TABLE rollouts (
  id BIGINT, folder INTEGER, part INTEGER, "row" INTEGER, kind VARCHAR, benchmark VARCHAR, step BIGINT,
  fingerprint VARCHAR, problem_id VARCHAR, sample_index INTEGER, num_tokens INTEGER, stop_reason VARCHAR,
  verdict VARCHAR, second_verdict VARCHAR, reward DOUBLE, advantage DOUBLE, value DOUBLE,
  num_chars INTEGER, text_hash UBIGINT, reflections INTEGER, repetition FLOAT, ends_in_loop BOOLEAN,
  keeps_form BOOLEAN, reasoning_chars INTEGER, shows_work BOOLEAN, gold_in_text BOOLEAN, gold_at_end BOOLEAN,
  final_value FLOAT,
  group_size INTEGER, group_correct INTEGER, group_graded INTEGER, group_reward DOUBLE,
  num_same INTEGER, place_in_folder INTEGER, reasons INTEGER, is_silent BOOLEAN
);
CREATE TABLE final_values (
  of_folder INTEGER, of_problem VARCHAR, of_sample INTEGER, final_value FLOAT, chars BIGINT
);
CREATE TABLE question_facts (benchmark VARCHAR, problem_id VARCHAR, field VARCHAR, value VARCHAR);
CREATE VIEW incomplete AS
  SELECT f.folder FROM folders f LEFT JOIN (SELECT folder, count(*) AS num FROM rollouts GROUP BY 1) r USING (folder)
  WHERE f.is_damaged OR coalesce(r.num, 0) < f.num_samples;
"""
"""`incomplete`: folders with a damaged part, or with fewer samples than the summary counts, which are not compared.

A verdict is null where nobody has judged a sample of the evaluation or step: `no_answer` of a request that failed
(`is_silent`) counts among judged samples only, as in a summary (orz_bench.records.judged).
"""


@dataclass(frozen=True, slots=True)
class _Known:
    folder: Folder
    measured: frozenset[Part]
    number: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a run is in the index."""

    num_rollouts: int
    num_parts: int
    num_measured: int
    """Number of parts with measures."""
    skipped: tuple[Path, ...]
    """Parts that could not be read."""


class RunIndex:
    """The index of one run. Safe to use from several threads; every query takes a cursor of its own."""

    def __init__(self, run: Path, measure_files: MeasureFiles) -> None:
        self.run = run
        self.measure_files = measure_files
        self.selections: OrderedDict[object, object] = OrderedDict()
        """Used only by app.queries.selection, under `lock`."""
        self.facts: tuple[int, dict[tuple[str, str], dict[str, str]]] | None = None
        """Used only by app.queries.facts, under `lock`: the generation, and the facts of its questions."""
        self.lock = threading.RLock()
        self.generation = 0
        """Increased by every refresh that changed something."""
        self._database = in_memory()
        self._database.execute(_TABLES)
        self._known: dict[Path, _Known] = {}
        self._skipped: set[Part] = set()
        self._folder_numbers: dict[Path, int] = {}
        self._part_numbers: dict[Part, int] = {}
        self._values = FinalValues(self._database)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection to the index for one query."""
        return self._database.cursor()

    def critics(self) -> list[str]:
        """The digests of the critics whose values are in the index: of each folder the one that assessed it last."""
        with self.lock:
            parts = [part for known in self._known.values() for part in known.folder.values]
        return sorted({part.path.parent.name for part in parts})

    def refresh(self) -> Coverage:
        """Read what has changed on disk; return the coverage. RunDirError for parts of a newer schema."""
        with self.lock:
            present = folders_of(self.run)
            measured = self.measure_files.measured([part for folder in present for part in folder.parts])
            changed = [folder for folder in present if self._has_changed(folder, measured)]
            gone = [known for path, known in self._known.items() if path not in {folder.path for folder in present}]
            for known in gone:
                self._forget(known)
            for folder in changed:
                self._values.take_in(self._number_of(folder), folder.values)
            for batch in _batches(changed):
                self._take_in(batch, measured)
            self.generation += bool(changed or gone)
            return self._coverage(measured)

    def _has_changed(self, folder: Folder, measured: dict[Part, Path]) -> bool:
        known = self._known.get(folder.path)
        if known is None or known.folder != folder:
            return True
        return known.measured != frozenset(part for part in folder.parts if part in measured)

    def _forget(self, known: _Known) -> None:
        with self._transaction():
            self._delete([known.number])
        del self._known[known.folder.path]

    def _take_in(self, folders: Sequence[Folder], measured: dict[Part, Path]) -> None:
        try:
            with self._transaction():
                self._replace(folders, measured)
        except duckdb.Error:
            # A part is damaged, or was just replaced: find it, and lose as little as possible.
            self._skipped |= {part for folder in folders for part in folder.parts if not _can_be_read(part.path)}
            readable = {part: path for part, path in measured.items() if _can_be_read(path)}
            for folder in folders:
                with self._transaction():
                    self._replace([folder], readable)
        for folder in folders:
            is_measured = frozenset(part for part in folder.parts if part in measured)
            self._known[folder.path] = _Known(folder, is_measured, self._number_of(folder))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Other threads see the index either before or after the changes."""
        self._database.begin()
        try:
            yield
        except BaseException:
            self._database.rollback()
            raise
        self._database.commit()

    def _replace(self, folders: Sequence[Folder], measured: dict[Part, Path]) -> None:
        """One statement for all folders: a statement for each of a thousand steps takes seconds."""
        numbers = [self._number_of(folder) for folder in folders]
        if any(folder.path in self._known for folder in folders):
            self._delete(numbers)
        self._add_names(folders, measured)
        self._add_rows(numbers)

    def _delete(self, numbers: Sequence[int]) -> None:
        for table in ("rollouts", "parts", "folders"):
            self._database.execute(f"DELETE FROM {table} WHERE folder IN ({', '.join(map(str, numbers))})")

    def _number_of(self, folder: Folder) -> int:
        return self._folder_numbers.setdefault(folder.path, len(self._folder_numbers))

    def _add_names(self, folders: Sequence[Folder], measured: dict[Part, Path]) -> None:
        whole = {folder.path: [part for part in folder.parts if self._is_readable(part)] for folder in folders}
        facts = {
            "folder": pa.array([self._number_of(folder) for folder in folders], pa.int32()),
            "kind": pa.array([folder.kind for folder in folders], pa.string()),
            "benchmark": pa.array([folder.benchmark for folder in folders], pa.string()),
            "step": pa.array([folder.step for folder in folders], pa.int64()),
            "fingerprint": pa.array([folder.fingerprint for folder in folders], pa.string()),
            "is_damaged": pa.array([len(whole[folder.path]) < len(folder.parts) for folder in folders], pa.bool_()),
            "num_samples": pa.array([num_summarised(folder) for folder in folders], pa.int64()),
        }
        self._insert("folders", facts)
        parts = [(folder, part) for folder in folders for part in whole[folder.path]]
        # A part keeps its number while the file is unchanged, so that the ids of its rollouts are stable.
        numbers = [self._part_numbers.setdefault(part, len(self._part_numbers)) for _, part in parts]
        columns = {
            "part": pa.array(numbers, pa.int32()),
            "folder": pa.array([self._number_of(folder) for folder, _ in parts], pa.int32()),
            "path": pa.array([str(part.path) for _, part in parts], pa.string()),
            "measures": pa.array([_text(measured.get(part)) for _, part in parts], pa.string()),
        }
        self._insert("parts", columns)

    def _insert(self, table: str, columns: dict[str, pa.Array]) -> None:
        self._database.register("incoming", pa.table(columns))
        self._database.execute(f"INSERT INTO {table} SELECT * FROM incoming")
        self._database.unregister("incoming")

    def _is_readable(self, part: Part) -> bool:
        if part not in self._part_numbers and part not in self._skipped and not is_whole(part.path):
            self._skipped.add(part)
        return part not in self._skipped

    def _add_rows(self, folders: Sequence[int]) -> None:
        where = f"folder IN ({', '.join(map(str, folders))})"
        paths = self._database.execute(f"SELECT path, measures FROM parts WHERE {where}").fetchall()
        if not paths:
            return
        known = [measures for _, measures in paths if measures is not None]
        files = [[path for path, _ in paths], *([known] if known else [])]
        self._database.execute(_insert_sql(where, with_measures=bool(known)), files)

    def _coverage(self, measured: dict[Part, Path]) -> Coverage:
        found = self._database.execute("SELECT count(*) FROM rollouts").fetchone()
        assert found is not None
        parts = {part for known in self._known.values() for part in known.folder.parts}
        skipped = tuple(sorted(part.path for part in self._skipped & parts))
        return Coverage(found[0], len(parts) - len(skipped), len(parts & set(measured) - self._skipped), skipped)


def _batches(folders: Sequence[Folder], num_parts: int = 500) -> Iterator[list[Folder]]:
    """Batches of folders with about `num_parts` parts: one query for many small folders, none too large for memory."""
    batch: list[Folder] = []
    for folder in folders:
        batch.append(folder)
        if sum(len(one.parts) for one in batch) >= num_parts:
            yield batch
            batch = []
    if batch:
        yield batch


def _can_be_read(path: Path) -> bool:
    """Whether every value of the file can be read."""
    with duckdb.connect() as database:
        try:
            database.execute("SELECT max(hash(COLUMNS(*))) FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error:
            return False
    return True


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _insert_sql(where: str, *, with_measures: bool) -> str:
    """Inserts the rows of some folders' parts, with their measures and group statistics. All names are our own.

    `place` numbers the problems in their natural order: to sort and group many rows by texts takes seconds.
    """
    parquet = "filename = true, file_row_number = true, hive_partitioning = false"
    measures = (
        f"SELECT {_MEASURES}, p.part, m.file_row_number AS measured_row FROM read_parquet(?, {parquet}) m "
        f"JOIN parts p ON p.measures = m.filename"
        if with_measures
        else f"SELECT {', '.join(f'NULL AS {name}' for name in _MEASURES.split(', '))}, -1 AS part, -1 AS measured_row"
    )
    group = "PARTITION BY folder, benchmark, place"
    # Without a length it is the hash of a text that an imported file lacks: no duplicate of others that it lacks.
    same = (
        "CASE WHEN num_chars IS NOT NULL THEN count(*) OVER ({}, text_hash, num_chars) END" if with_measures else "NULL"
    )
    return f"""
    INSERT INTO rollouts
    WITH facts AS (
      SELECT r.file_row_number AS "row", p.part, f.folder, f.kind, coalesce(r.benchmark, f.benchmark, '') AS benchmark,
             f.step, f.fingerprint, {_FACTS}, {IS_JUDGED_SQL} AS is_judged,
             coalesce(why = '{NO_RESPONSE}', false) AS is_silent
      FROM read_parquet(?, {parquet}) r
      JOIN (SELECT * FROM parts WHERE {where}) p ON p.path = r.filename JOIN folders f ON f.folder = p.folder
    ), unrated AS (
      SELECT folder, benchmark FROM facts GROUP BY ALL HAVING NOT bool_or(is_judged)
    ), places AS (
      SELECT problem_id, row_number() OVER (ORDER BY {natural("problem_id")}) AS place
      FROM (SELECT DISTINCT problem_id FROM facts)
    ), rated AS (
      SELECT facts.* REPLACE (CASE WHEN unrated.folder IS NULL THEN verdict END AS verdict), place
      FROM facts LEFT JOIN unrated USING (folder, benchmark)
      JOIN places ON places.problem_id IS NOT DISTINCT FROM facts.problem_id
    ), measured AS ({measures}), joined AS (
      SELECT rated.*, measured.* EXCLUDE (part, measured_row),
             CASE WHEN chars = num_chars OR num_chars IS NULL THEN final_values.final_value END AS final_value,
             count(*) OVER ({group}) AS group_size,
             count(*) FILTER (verdict = 'correct') OVER ({group}) AS group_correct,
             count(verdict) OVER ({group}) AS group_graded, avg(reward) OVER ({group}) AS group_reward,
             row_number() OVER (PARTITION BY folder ORDER BY benchmark, place, sample_index, rated.part, "row")
               AS place_in_folder,
             {same.format(group)} AS num_same
      FROM rated LEFT JOIN measured ON rated.part = measured.part AND rated."row" = measured.measured_row
      LEFT JOIN final_values ON of_folder = folder AND of_problem = problem_id AND of_sample = sample_index
    )
    SELECT part * 4294967296 + "row" AS id, folder, part, "row", kind, benchmark, step, fingerprint, {_FACTS},
           {_MEASURES}, final_value, group_size, group_correct, group_graded, group_reward, num_same,
           place_in_folder, {reasons_sql()}, is_silent
    FROM joined ORDER BY id
    """
