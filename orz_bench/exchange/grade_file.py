"""Grade a JSON-lines file of answers that exist already; every field of a row is kept."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.errors import DataError, RunDirError
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.parquet import disk_error, sync_folder
from orz_bench.records.regular import require_regular
from orz_bench.records.rollout import Grade, Problem
from orz_bench.records.tables import SUFFIXES, read_table

_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    fields: dict[str, Any]
    submission: Submission | None
    """None if the row has no text to grade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeTally:
    """Counts and time of a graded file."""

    num_rows: int
    seconds: float
    verdicts: Mapping[str, int]


def grade_file(
    benchmark: Benchmark, source: Path, *, target: Path, grader: Grader, folders: Sequence[Path]
) -> GradeTally:
    """Write the rows of `source` with extracted, verdict, why and a second extractor's findings to `target`.

    A row without a text is `no_answer`. `target` appears whole or not at all; a killed run resumes where it stopped.
    Raises DataError with the line number for a broken row.
    """
    start = time.monotonic()
    golds = _Golds(benchmark, folders)
    identity = [_sha256(source), grader.identity, benchmark.name, list(map(str, folders))]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    partial = target.with_name(f".{target.name}.{digest}.partial")
    try:
        with _own(partial) as file:
            counts = _graded_before(partial)
            rows = islice(_rows(source, golds), counts.total(), None)
            for batch in _batches(rows):
                counts.update(_grade_batch(batch, grader, file=file))
            os.fsync(file.fileno())
            partial.replace(target)
        sync_folder(target.parent)
    except DataError:
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise disk_error(target, error) from error
    for stale in target.parent.glob(f".{target.name}.*.partial"):
        stale.unlink(missing_ok=True)
    return GradeTally(num_rows=counts.total(), seconds=time.monotonic() - start, verdicts=dict(counts.most_common()))


@contextlib.contextmanager
def _own(partial: Path) -> Iterator[TextIO]:
    """The unfinished file, for this process alone. RunDirError if another one grades the same into it."""
    while True:
        # A lone surrogate, which UTF-8 cannot hold, as \udXXX: in JSON that is its name.
        with partial.open("a", encoding="utf-8", errors="backslashreplace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunDirError(f"{partial}: another process grades the same file into it; wait for it.") from None
            if partial.exists() and os.path.samestat(os.fstat(file.fileno()), partial.stat()):
                yield file
                return


def _grade_batch(batch: Sequence[_Row], grader: Grader, *, file: TextIO) -> list[str]:
    found = iter(grader.grade([row.submission for row in batch if row.submission is not None]))
    grades = [_NO_TEXT if row.submission is None else next(found) for row in batch]
    graded = (row.fields | _findings(grade) for row, grade in zip(batch, grades, strict=True))
    file.writelines(json.dumps(fields, ensure_ascii=False) + "\n" for fields in graded)
    file.flush()
    return [grade.verdict for grade in grades]


_NO_TEXT = Grade(
    verdict="no_answer",
    why="the row has no text under 'response'",
    extracted=None,
    second_extractor="",
    second_extracted=None,
    second_verdict="no_answer",
)


def _graded_before(partial: Path) -> Counter[str]:
    """Verdicts of the whole lines that a killed run left; a torn last line is cut off."""
    if not partial.exists():
        return Counter()
    content = partial.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        os.truncate(partial, len(whole))
    return Counter(json.loads(line)["verdict"] for line in whole.splitlines())


class _Golds:
    """The benchmark's golds, loaded at the first row that brings none."""

    def __init__(self, benchmark: Benchmark, folders: Sequence[Path]) -> None:
        self.benchmark = benchmark
        self._folders = folders
        self._problems: dict[str, Problem] | None = None

    def find(self, problem_id: str) -> Problem | None:
        if self._problems is None:
            loaded = load_problems(self.benchmark, folders=self._folders)
            self._problems = {problem.problem_id: problem for problem in loaded.problems}
        return self._problems.get(problem_id)


def _sha256(source: Path) -> str:
    try:
        require_regular(source)
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"--in {source}: cannot read it ({error.strerror}); name a file of JSON lines.") from error


def _rows(source: Path, golds: _Golds) -> Iterator[_Row]:
    suffix = source.suffix.lower() if source.suffix.lower() in SUFFIXES else ".jsonl"
    has_responses = False
    for where, row in read_table(source, suffix=suffix):
        try:
            _require_object(row, has_responses=has_responses)
            has_responses, has_text = True, isinstance(row.get("response"), str)
            yield _Row(fields=row, submission=_submission(row, golds) if has_text else None)
        except (ValueError, TypeError, DataError) as error:
            raise DataError(f"{source}, {where}: {error}. Fix or remove that row; nothing was written.") from error


def _require_object(row: Any, *, has_responses: bool) -> None:
    """Also a response, unless rows before it had one: a file without any is of another kind."""
    if not isinstance(row, dict):
        raise DataError(f"found a JSON {type(row).__name__}, wanted an object")
    if not has_responses and "response" not in row:
        raise DataError(f"found no text under 'response' (keys: {', '.join(map(str, row)) or 'none'})")


def _submission(row: Mapping[str, Any], golds: _Golds) -> Submission:
    kind, gold = golds.benchmark.kind, row.get("gold")
    num_choices = int(row.get("num_choices", 4)) if kind == "choice" else 0
    if gold is None:
        problem = golds.find(str(row.get("problem_id")))
        if problem is None:
            raise DataError(
                f"{golds.benchmark.name} has no problem {row.get('problem_id')!r}; give the row a 'gold', or a "
                f"problem_id of the benchmark's data"
            )
        gold, num_choices = problem.gold, problem.num_choices
    return Submission(gold=str(gold), kind=kind, num_choices=num_choices, response=row["response"])


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield batch


def _findings(grade: Grade) -> dict[str, Any]:
    return {
        "extracted": grade.extracted,
        "verdict": grade.verdict,
        "why": grade.why,
        "second_extractor": grade.second_extractor,
        "second_extracted": grade.second_extracted,
        "second_verdict": grade.second_verdict,
        **grade.extra,
    }
