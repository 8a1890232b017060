"""Scores of imported evaluations, from the verdicts that came along: marked as the other tool's."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orz_bench.records.judged import are_scored
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json
from orz_bench.records.summary import EvalResult, Summary
from orz_bench.results.statistics import ScoredSample, summarise

OURS = "final, our grader"
"""Name of the second extractor of rows that our grader judged: its own rule, and our verdict."""
_COLUMNS = ("problem_id", "sample_index", "verdict", "second_verdict", "extracted", "stop_reason", "num_tokens")
SCORED_COLUMNS = (*_COLUMNS, "second_extractor", "completion", "grader_version", "why")
"""What a score is computed from."""
Row = Mapping[str, Any]


def write_scores(evaluation: EvaluationDir, run: RunDir) -> None:
    """Write summary.json if every sample has a verdict."""
    rows = evaluation.read([*SCORED_COLUMNS]).to_pylist()
    summary = summary_of(rows)
    if summary is None:
        evaluation.summary_path.unlink(missing_ok=True)
        return
    known = read_json(evaluation.protocol_path).get("imported", {})
    evaluation.write_result(
        EvalResult(
            run=str(run.path),
            benchmark=evaluation.benchmark,
            step=evaluation.step,
            fingerprint=evaluation.fingerprint,
            model=str(known.get("model") or run.path.resolve().name),
            protocol=protocol_of(rows, tool=known.get("tool", "a table")),
            summary=summary,
            num_problems_total=summary.num_problems,
        )
    )


def summary_of(rows: Sequence[Row]) -> Summary | None:
    """The statistics of an evaluation's rows; None unless every one has a verdict: a part would be another score."""
    if not are_scored([(row["verdict"], row["why"]) for row in rows]):
        return None
    samples = [
        ScoredSample(
            **{name: row[name] for name in _COLUMNS},
            completion_hash=hashlib.blake2b(row["completion"].encode(), digest_size=12).hexdigest(),
        )
        for row in rows
    ]
    second = Counter(row["second_extractor"] for row in rows if row["second_extractor"]).most_common(1)
    summary = summarise(
        samples,
        second_extractor=second[0][0] if second else "",
        has_extracted=any(row["extracted"] is not None for row in rows),
    )
    if not second or second[0][0] != OURS:
        return summary
    pairs = ((row["verdict"], row["second_verdict"]) for row in rows)
    return replace(summary, disagreements=disagreements_of(pairs))


def protocol_of(rows: Sequence[Row], *, tool: str) -> dict[str, str]:
    """Whose the verdicts are; nothing else is known."""
    judges = sorted({row["grader_version"] for row in rows if row["grader_version"]})
    return {"imported": tool, "judged_by": ", ".join(judges) or "the file"}


def disagreements_of(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, dict[str, int]]:
    """Their verdict -> ours -> samples, where one is right and the other is not; most frequent first."""
    differing = Counter(
        (theirs, ours) for theirs, ours in pairs if theirs and ours and (theirs == "correct") != (ours == "correct")
    )
    found: dict[str, dict[str, int]] = {}
    for (theirs, ours), count in differing.most_common():
        found.setdefault(theirs, {})[ours] = count
    return found
