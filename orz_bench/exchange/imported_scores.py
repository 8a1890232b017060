"""Scores of imported evaluations, from the verdicts that came along: marked as the other tool's."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from orz_bench.exchange.import_samples import NO_RESPONSE
from orz_bench.records.run_dir import EvaluationDir, RunDir, read_json
from orz_bench.records.summary import EvalResult
from orz_bench.results.statistics import ScoredSample, summarise

_COLUMNS = ("problem_id", "sample_index", "verdict", "second_verdict", "extracted", "stop_reason", "num_tokens")


def write_scores(evaluation: EvaluationDir, run: RunDir) -> None:
    """Write summary.json if every sample has a verdict: a part of them would be another score."""
    table = evaluation.read([*_COLUMNS, "second_extractor", "completion", "grader_version", "why"])
    rows = table.to_pylist()
    silent = sum(row["why"] == NO_RESPONSE for row in rows)
    if not rows or any(row["verdict"] is None for row in rows) or silent == len(rows):
        evaluation.summary_path.unlink(missing_ok=True)
        return
    samples = [
        ScoredSample(
            **{name: row[name] for name in _COLUMNS},
            completion_hash=hashlib.blake2b(row["completion"].encode(), digest_size=12).hexdigest(),
        )
        for row in rows
    ]
    from orz_bench.exchange.grade_imported import OURS

    second = Counter(row["second_extractor"] for row in rows if row["second_extractor"]).most_common(1)
    summary = summarise(
        samples,
        second_extractor=second[0][0] if second else "",
        has_extracted=any(row["extracted"] is not None for row in rows),
    )
    if second and second[0][0] == OURS:
        pairs = ((row["verdict"], row["second_verdict"]) for row in rows)
        summary = replace(summary, disagreements=disagreements_of(pairs))
    protocol = read_json(evaluation.protocol_path)
    known = protocol.get("imported", {})
    judges = sorted({row["grader_version"] for row in rows if row["grader_version"]})
    evaluation.write_result(
        EvalResult(
            run=str(run.path),
            benchmark=evaluation.benchmark,
            step=evaluation.step,
            fingerprint=evaluation.fingerprint,
            model=str(known.get("model") or run.path.resolve().name),
            protocol={"imported": known.get("tool", "a table"), "judged_by": ", ".join(judges) or "the file"},
            summary=summary,
            num_problems_total=summary.num_problems,
        )
    )


def disagreements_of(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, dict[str, int]]:
    """Their verdict -> ours -> samples, where one is right and the other is not; most frequent first."""
    differing = Counter(
        (theirs, ours) for theirs, ours in pairs if theirs and ours and (theirs == "correct") != (ours == "correct")
    )
    found: dict[str, dict[str, int]] = {}
    for (theirs, ours), count in differing.most_common():
        found.setdefault(theirs, {})[ours] = count
    return found
