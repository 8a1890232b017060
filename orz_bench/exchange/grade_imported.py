"""Grade imported samples with our grader too: their verdict stays, ours is the second one of each row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import counted
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.records.parquet import replace_table, table_of
from orz_bench.records.rollout import AnswerKind, Grade
from orz_bench.records.run_dir import RolloutsDir

OURS = "final, our grader"
"""Name of the second extractor of rows that our grader judged: its own rule, and our verdict."""
_THEIRS = "second_before_ours"
"""In `extra`: a second extractor that the file had."""
_LETTER = re.compile(r"[A-Z]\Z")
_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Verdicts of a folder, theirs and ours."""

    folder: RolloutsDir
    num_graded: int
    num_without_gold: int
    pairs: Counter[tuple[str, str]]
    """(their verdict, ours) -> samples; "none" where they gave no verdict."""

    @property
    def differing(self) -> list[tuple[str, str, int]]:
        """(theirs, ours, samples) where one is right and the other is not, most frequent first."""
        return [
            (theirs, ours, count)
            for (theirs, ours), count in self.pairs.most_common()
            if theirs != "none" and (theirs == "correct") != (ours == "correct")
        ]


def grade_imported(folder: RolloutsDir, *, notice: Callable[[str], None]) -> Disagreement:
    """Grade every row of a folder that has a text and a gold. Rows that our grader judged before are left as they are.

    Golds that are single capital letters throughout are options of a choice; all others are mathematics. `notice` gets
    how many rows could not be graded.
    """
    table = folder.read()
    rows = table.to_pylist()
    graded = [row for row in rows if row["gold"] is not None and row["completion"]]
    kind: AnswerKind = "choice" if graded and all(_LETTER.match(row["gold"]) for row in graded) else "math"
    missing = [row for row in graded if row["second_extractor"] != OURS]
    if missing:
        _grade(missing, kind=kind)
        replace_table(folder.path, table_of(rows))
    pairs = Counter((row["verdict"] or "none", row["second_verdict"]) for row in graded)
    without = len(rows) - len(graded)
    if without:
        notice(f"{folder.path}: {counted(without, 'sample')} without a gold or a text: not graded by us")
    return Disagreement(folder=folder, num_graded=len(graded), num_without_gold=without, pairs=pairs)


def _grade(rows: Sequence[dict[str, Any]], *, kind: AnswerKind) -> None:
    version = grader_version(kind)
    with Grader(extractor="final") as grader:
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = rows[start : start + _BATCH_ROWS]
            submissions = [
                Submission(
                    gold=row["gold"], kind=kind, num_choices=26 if kind == "choice" else 0, response=row["completion"]
                )
                for row in batch
            ]
            for row, grade in zip(batch, grader.grade(submissions), strict=True):
                row.update(_columns(row, grade, version=version))


def _columns(row: Mapping[str, Any], grade: Grade, *, version: str) -> dict[str, Any]:
    """The columns of a row that our verdict changes; a second extractor that it had goes to its `extra`."""
    names = ("second_extractor", "second_extracted", "second_verdict")
    theirs = {_THEIRS: {name: row[name] for name in names}} if row["second_extractor"] is not None else {}
    extra = json.loads(row["extra"]) | theirs | {"our_grader": version, "our_why": grade.why}
    return {
        "second_extractor": OURS,
        "second_extracted": grade.extracted,
        "second_verdict": grade.verdict,
        "extra": json.dumps(extra, ensure_ascii=False),
    }
