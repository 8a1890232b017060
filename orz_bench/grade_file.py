"""Grade a JSON-lines file of answers that exist already; every field of a row is kept."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.data import load_problems
from orz_bench.errors import DataError
from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.parquet import disk_error, sync_folder
from orz_bench.records.rollout import Grade, Problem

_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeTally:
    """What grading a file amounted to."""

    num_rows: int
    seconds: float
    verdicts: Mapping[str, int]


def grade_file(benchmark: Benchmark, source: Path, target: Path, *, grader: Grader, folders: Sequence[Path]) -> GradeTally:
    """Write the rows of `source` with extracted, verdict, why and a second extractor's findings to `target`.

    `target` appears whole or not at all. Raises DataError with the line number for a broken row.
    """
    start = time.monotonic()
    counts: Counter[str] = Counter()
    golds = _Golds(benchmark, folders)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with _open(source) as lines, temporary.open("w", encoding="utf-8") as file:
            for rows in _batches(_rows(lines, source, golds)):
                for row, grade in zip(rows, grader.grade([submission for _, submission in rows]), strict=True):
                    counts[grade.verdict] += 1
                    file.write(json.dumps(row[0] | _findings(grade), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise disk_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return GradeTally(num_rows=counts.total(), seconds=time.monotonic() - start, verdicts=dict(counts.most_common()))


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


def _open(source: Path) -> Any:
    try:
        return source.open(encoding="utf-8")
    except OSError as error:
        raise DataError(f"--in {source}: cannot read it ({error.strerror}); name a file of JSON lines.") from error


def _rows(lines: Iterable[str], source: Path, golds: _Golds) -> Iterator[tuple[dict[str, Any], Submission]]:
    line_number = 0
    try:
        for line_number, line in enumerate(lines, start=1):
            if line.strip():
                row = _parse(line)
                yield row, _submission(row, golds)
    except (ValueError, DataError) as error:
        raise DataError(f"{source}, line {line_number}: {error}. Mend or remove that line; nothing was written.") from error


def _parse(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise DataError(f"found a JSON {type(row).__name__}, wanted an object")
    if not isinstance(row.get("response"), str):
        raise DataError(f"found no text under 'response' (keys: {', '.join(map(str, row)) or 'none'})")
    return row


def _submission(row: Mapping[str, Any], golds: _Golds) -> Submission:
    kind, gold = golds.benchmark.kind, row.get("gold")
    num_choices = int(row.get("num_choices", 4)) if kind == "choice" else 0
    if gold is None:
        problem = golds.find(str(row.get("problem_id")))
        if problem is None:
            raise DataError(
                f"{golds.benchmark.name} has no problem {row.get('problem_id')!r}; give the row a 'gold', or a problem_id "
                f"of the benchmark's data"
            )
        gold, num_choices = problem.gold, problem.num_choices
    return Submission(gold=str(gold), kind=kind, num_choices=num_choices, response=row["response"])


def _batches(rows: Iterator[tuple[dict[str, Any], Submission]]) -> Iterator[list[tuple[dict[str, Any], Submission]]]:
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
    }
