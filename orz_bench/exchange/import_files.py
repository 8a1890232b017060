"""Rollouts of other tools -> a run directory. Rows are stored as they are: nothing is graded, unknown values are null.

Every row carries the digest of its file and its number there (in `extra`), so that the same import again writes nothing
twice and a killed one resumes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from orz_bench.environment import describe_environment
from orz_bench.errors import DataError
from orz_bench.records.foreign import Row, canonical, dumped, flat, rows_of, run_column, source_columns
from orz_bench.records.parquet import ROLLOUT_SCHEMA, storable, write_table
from orz_bench.records.regular import require_regular
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir, to_json, write_text

PART_ROWS = 2048
_MAX_EXTRA_CHARS = 2000
_MOST_FILES = 100_000
"""In a folder of dumps; a training run of the paper wrote some thousand."""
_SOURCE, _ROW = "imported_from", "imported_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Facts that the files do not contain, and which rows are imported."""

    benchmark: str | None = None
    step: int | None = None
    rows_are: Literal["auto", "eval", "train"] = "auto"
    run: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """Result of importing one file."""

    source: Path
    num_rows: int
    targets: tuple[str, ...]
    """Folders of the run that hold its rows."""
    was_there: bool


def import_files(paths: Sequence[Path], out: Path, *, options: ImportOptions) -> Iterator[ImportedFile]:
    """Import the files (and Open-Reasoner-Zero's dumps in the folders) one after the other into the run `out`.

    Raises DataError for a file that is missing, empty, without responses, of several runs, or changed since it was
    imported. What can be refused beforehand is, and then nothing is written; files before a broken row stay.
    """
    paths_found = [source for path in paths for source in _sources(path)]
    sources = [_source(path, options) for path in paths_found]
    kind = "train" if any(source.trains for source in sources) else "eval"
    facts = describe_environment() | {"seed": None, "imported": True}
    run = RunDir(out)
    with run.lock():
        for source in sources:
            _refuse_changed(source, run)
        run.create(kind=kind, command=options.command, seed=0, environment=facts)
        with run.writing(stopped_event="import_stopped"):
            for source in sources:
                yield _import_file(source, run)


def _sources(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(_dumps_under(path))
    if not found:
        raise DataError(
            f"{path}: contains no dump of Open-Reasoner-Zero (iter*_generation_results.json, eval_output_iter*.jsonl); "
            f"name the files themselves."
        )
    return found


def _dumps_under(folder: Path) -> Iterator[Path]:
    """Dumps in a folder and the folders in it, links to folders left out. DataError for a folder of too many files."""
    num_files = 0
    for parent, _, names in os.walk(folder):  # a folder that cannot be read is passed over
        num_files += len(names)
        if num_files > _MOST_FILES:
            raise DataError(
                f"{folder}: holds more than {_MOST_FILES:,} files; name the folder of the dumps itself, or the files."
            )
        yield from (file for file in (Path(parent) / name for name in names) if dumped(file) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    path: Path
    digest: str
    trains: bool
    options: ImportOptions

    @property
    def label(self) -> str:
        return f"{self.path.name} {self.digest}"


def _source(path: Path, options: ImportOptions) -> _Source:
    return _Source(path=path, digest=_digest(path), trains=_is_training(path, options), options=options)


def _is_training(source: Path, options: ImportOptions) -> bool:
    """True for rows of training; reads the first row, so that an unreadable file fails before anything is written."""
    first = next(iter(rows_of(source)), None)
    if first is None:
        raise DataError(f"{source}: has no rows; name a file of rollouts.")
    columns = source_columns(flat(first))
    if "completion" not in columns:
        raise DataError(
            f"{source}: columns {', '.join(map(str, flat(first)))}: none holds a response (completion, response, "
            f"raw_response, output or generation); rename the one that does."
        )
    if options.rows_are != "auto":
        return options.rows_are == "train"
    name = dumped(source)
    return name.benchmark is None if name else "reward" in columns


def _refuse_changed(source: _Source, run: RunDir) -> None:
    if _events(run).get(source.path.name, source.digest) != source.digest:
        raise DataError(
            f"{source.path}: another file of this name was imported into {run.path} before; import this one into a new "
            f"run directory (--out), or give it another name if its rows differ."
        )


def _import_file(source: _Source, run: RunDir) -> ImportedFile:
    _refuse_changed(source, run)  # two of the files may have one name
    path = source.path
    if source.digest in _events(run).values():
        return ImportedFile(source=path, num_rows=0, targets=(), was_there=True)
    targets = _Targets(run, source)
    for number, row in enumerate(_rows(source), start=1):
        targets.take(row, number)
    targets.flush()
    run.add_event("imported", file=path.name, digest=source.digest, rows=targets.num_rows)
    return ImportedFile(source=path, num_rows=targets.num_rows, targets=targets.names, was_there=False)


def _digest(path: Path) -> str:
    try:
        require_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a file of rollouts.") from error


def _events(run: RunDir) -> dict[str, str]:
    """By name: the digests of the files that were imported whole."""
    return {event["file"]: event["digest"] for event in run.events("imported")}


def _rows(source: _Source) -> Iterator[Row]:
    """Flat rows of the wanted run. DataError if a file holds several and none is named."""
    wanted, found = source.options.run, None
    for row in map(flat, rows_of(source.path)):
        column = run_column(row)
        name = str(row[column]) if column not in (None, "model") else None
        if wanted is not None and name != wanted:
            continue
        if found is not None and name != found:
            raise DataError(
                f"{source.path}: holds the runs {found}, {name} and maybe more; name one with --run, and import each "
                f"into a run directory of its own."
            )
        found = name
        yield row
    if found is None and wanted is not None:
        raise DataError(f"{source.path}: holds no rows of a run {wanted!r}; look at its column run.")


@dataclass
class _Folder:
    """One folder of the run that rows of the file go into."""

    directory: RolloutsDir
    present: set[int]
    """Rows of this file that are there already."""
    keys: set[tuple[str, int]]
    next_index: Counter[str]
    waiting: list[Row] = field(default_factory=list)


class _Targets:
    """The folders that a file's rows go into, each written in parts."""

    def __init__(self, run: RunDir, source: _Source) -> None:
        self._run = run
        self._source = source
        self._folders: dict[tuple[str, int], _Folder] = {}
        self.num_rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(folder.directory.path.relative_to(self._run.path)) for folder in self._folders.values())

    def take(self, row: Row, number: int) -> None:
        """Add a row to its folder, unless it is there already."""
        ours = _row(row, number, source=self._source)
        folder = self._folder("" if self._source.trains else ours["benchmark"], ours["step"])
        self.num_rows += 1
        if number in folder.present:
            return
        problem = ours["problem_id"]
        if ours["sample_index"] is None:
            ours["sample_index"] = folder.next_index[problem]
        key = (f"{ours['benchmark']}\0{problem}", ours["sample_index"])
        if key in folder.keys:
            raise DataError(
                f"{self._source.path}, row {number}: sample {key[1]} of {problem} is in the run already; import this "
                f"file into a run directory of its own."
            )
        folder.keys.add(key)
        folder.next_index[problem] = max(folder.next_index[problem], ours["sample_index"] + 1)
        folder.waiting.append(ours)
        if len(folder.waiting) >= PART_ROWS:
            _commit(folder)

    def flush(self) -> None:
        for folder in self._folders.values():
            _commit(folder)

    def _folder(self, benchmark: str, step: int) -> _Folder:
        if (benchmark, step) not in self._folders:
            self._folders[benchmark, step] = self._open(benchmark, step)
        return self._folders[benchmark, step]

    def _open(self, benchmark: str, step: int) -> _Folder:
        directory = self._run.rollouts(step) if self._source.trains else self._evaluation(benchmark, step)
        directory.path.mkdir(parents=True, exist_ok=True)
        if isinstance(directory, EvaluationDir) and not directory.protocol_path.exists():
            write_text(directory.protocol_path, to_json({"benchmark": benchmark, "step": step} | _PROTOCOL))
        rows = directory.read(["benchmark", "problem_id", "sample_index", "extra"]).to_pylist()
        return _Folder(
            directory=directory,
            present={number for row in rows if (number := _number(row["extra"], self._source)) is not None},
            keys={(f"{row['benchmark']}\0{row['problem_id']}", row["sample_index"]) for row in rows},
            next_index=_next_indices(rows),
        )

    def _evaluation(self, benchmark: str, step: int) -> EvaluationDir:
        return self._run.evaluation(benchmark=_file_name(benchmark), step=step, fingerprint="imported")


_PROTOCOL = {"note": "imported: how these answers were generated and graded is not known here"}


def _commit(folder: _Folder) -> None:
    if folder.waiting:
        columns = {f.name: pa.array([row.get(f.name) for row in folder.waiting], f.type) for f in ROLLOUT_SCHEMA}
        write_table(folder.directory.path, pa.table(columns, schema=ROLLOUT_SCHEMA))
        folder.waiting = []


def _next_indices(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    following: Counter[str] = Counter()
    for row in rows:
        following[row["problem_id"]] = max(following[row["problem_id"]], row["sample_index"] + 1)
    return following


def _number(extra: str, source: _Source) -> int | None:
    facts = json.loads(extra)
    return int(facts[_ROW]) if facts.get(_SOURCE) == source.label else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of a file, for messages."""

    path: Path
    row: int

    def __str__(self) -> str:
        return f"{self.path}, row {self.row}"


def _row(row: Row, number: int, *, source: _Source) -> Row:
    """A row of ROLLOUT_SCHEMA as a dictionary; without a response it is `no_answer`. DataError if a number is none."""
    ours = canonical(row)
    named, options = dumped(source.path), source.options
    used = set(source_columns(row).values())
    extra = {name: value for name, value in row.items() if name not in used and _is_small(value)}
    wholes = {
        name: _whole(ours.get(name), name, where=_Place(source.path, number))
        for name in ("sample_index", "num_tokens", "step")
    }
    step = named.step if named else wholes["step"]
    benchmark = (named and named.benchmark) or ours.get("benchmark") or options.benchmark
    found = (
        ours
        | wholes
        | {
            "step": step if step is not None else options.step or 0,
            "benchmark": benchmark or ("training" if named else source.path.stem),
            "problem_id": ours.get("problem_id") or f"row-{number}",
            "reward": _float(ours.get("reward"), where=_Place(source.path, number)),
            "question": question_in(ours.get("question")),
            "prompt": ours.get("question") if source_columns(row).get("question") == "prompt" else None,
            "extra": json.dumps({_SOURCE: source.label, _ROW: number} | extra, ensure_ascii=False, default=str),
        }
    )
    return {name: storable(value) if isinstance(value, str) else value for name, value in found.items()}


def question_in(prompt: str | None) -> str | None:
    """The question within a prompt of Open-Reasoner-Zero's template; any other text unchanged."""
    if prompt is None:
        return None
    _, opening, behind = prompt.partition(_BEFORE_QUESTION)
    question, closing, rest = behind.rpartition(_AFTER_QUESTION)
    return question if opening and closing and not rest.replace("<think>", "").strip() else prompt


_BEFORE_QUESTION, _AFTER_QUESTION = "This is the problem:\n", "\nAssistant:"


def _is_small(value: Any) -> bool:
    return value is not None and len(json.dumps(value, default=str)) <= _MAX_EXTRA_CHARS


def _whole(value: Any, name: str, *, where: _Place) -> int | None:
    if value is None or value == "":
        return None
    number = _float(value, where=where)
    if number is None or number != int(number) or number < 0:
        raise DataError(f"{where}: {name} is {value!r}, wanted a whole number from 0; fix this row.")
    return int(number)


def _float(value: Any, *, where: _Place) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {value!r} is not a number; fix this row.") from None
    return number if number == number and abs(number) != float("inf") else None  # noqa: PLR0124 - not NaN


def _file_name(benchmark: str) -> str:
    """A benchmark's name as the name of one folder."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in benchmark).lstrip(".") or "imported"
