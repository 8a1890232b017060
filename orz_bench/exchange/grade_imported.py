"""Grade imported samples with our grader too: their verdict stays, ours is the second one of each row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.imported_scores import OURS as OURS
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.records.parquet import replace_table, table_of
from orz_bench.records.rollout import AnswerKind, Grade
from orz_bench.records.run_dir import RolloutsDir

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

    Where the files gave verdicts, ours are the second ones; where they gave none, ours are the verdicts. Golds that are
    single capital letters throughout are options of a choice; all others are mathematics. `notice` gets how many rows
    could not be graded.
    """
    rows = folder.read().to_pylist()
    graded = [row for row in rows if row["gold"] is not None and row["completion"]]
    kind: AnswerKind = "choice" if graded and all(_LETTER.match(row["gold"]) for row in graded) else "math"
    version = grader_version(kind)
    is_judged = has_verdicts(row for row in graded if row["grader_version"] != version)
    missing = [row for row in graded if row["second_extractor"] != OURS and row["grader_version"] != version]
    if missing:
        _grade(missing, kind=kind, is_second=is_judged)
        replace_table(folder.path, table_of(rows))
    pairs = Counter(
        (row["verdict"] or "none", row["second_verdict"]) if is_judged else ("none", row["verdict"]) for row in graded
    )
    without = len(rows) - len(graded)
    if without:
        notice(f"{folder.path}: {counted(without, 'sample')} without a gold or a text: not graded by us")
    return Disagreement(folder=folder, num_graded=len(graded), num_without_gold=without, pairs=pairs)


def has_verdicts(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the file judged any of these rows."""
    return any(row.get("verdict") is not None for row in rows)


def our_columns(row: Mapping[str, Any], grade: Grade, *, version: str, is_second: bool) -> dict[str, Any]:
    """The columns of a row that our verdict changes, `extra` as an object.

    As the second verdict it leaves the file's alone; a second extractor that the file had goes to `extra`.
    """
    ours = {"our_grader": version, "our_why": grade.why}
    if not is_second:
        return grade.columns() | {"grader_version": version, "extra": row["extra"] | dict(grade.extra)}
    names = ("second_extractor", "second_extracted", "second_verdict")
    theirs = {_THEIRS: {name: row[name] for name in names}} if row.get("second_extractor") is not None else {}
    return {
        "second_extractor": OURS,
        "second_extracted": grade.extracted,
        "second_verdict": grade.verdict,
        "extra": row["extra"] | theirs | ours,
    }


def _grade(rows: Sequence[dict[str, Any]], *, kind: AnswerKind, is_second: bool) -> None:
    version = grader_version(kind)
    num_choices = 26 if kind == "choice" else 0
    with Grader(extractor="final") as grader:
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = rows[start : start + _BATCH_ROWS]
            submissions = [
                Submission(gold=row["gold"], kind=kind, num_choices=num_choices, response=row["completion"])
                for row in batch
            ]
            for row, grade in zip(batch, grader.grade(submissions), strict=True):
                plain = row | {"extra": json.loads(row["extra"])}
                changed = our_columns(plain, grade, version=version, is_second=is_second)
                row.update(changed | {"extra": json.dumps(changed["extra"], ensure_ascii=False)})
