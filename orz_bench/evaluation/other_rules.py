"""What other rules of extraction would have given, where many responses have no answer under the protocol's.

A model that does not write boxes is not a model that cannot calculate: beside a score that measures format, the reader
sees the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from orz_bench.evaluation.recorder import AnswerGrader
from orz_bench.extraction.rules import EXTRACTORS, OTHER_RULES
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Request, Verdict
from orz_bench.records.run_dir import EvaluationDir
from orz_bench.records.summary import Summary
from orz_bench.results.statistics import average


class RuleGrader(AnswerGrader, Protocol):
    """A grader that can read responses under other rules too."""

    def verdicts_under(self, extractor: str, submissions: Sequence[Submission]) -> list[Verdict]:
        """What another rule makes of the same responses."""
        ...


MANY_WITHOUT_ANSWER = 0.05
"""Share of the samples without an answer above which the other rules are asked."""


def with_other_rules(
    summary: Summary, requests: Sequence[Request], *, folder: EvaluationDir, grader: RuleGrader, extractor: str
) -> Summary:
    """The summary with avg@n under the other rules, if more than 5 % of the samples have no answer.

    For mathematics only: letters and programs have rules of their own.
    """
    is_math = all(request.problem.kind == "math" for request in requests)
    if summary.no_answer_rate <= MANY_WITHOUT_ANSWER or not is_math or extractor not in EXTRACTORS:
        return summary
    known = folder.result()
    if known is not None and known.summary.other_rules and known.summary.num_samples == summary.num_samples:
        return replace(summary, other_rules=known.summary.other_rules)
    golds = {request.key: request.problem.gold for request in requests}
    rows = folder.read(["problem_id", "sample_index", "completion"]).to_pylist()
    kept = [row for row in rows if (row["problem_id"], row["sample_index"]) in golds]
    submissions = [
        Submission(
            gold=golds[row["problem_id"], row["sample_index"]], kind="math", num_choices=0, response=row["completion"]
        )
        for row in kept
    ]
    scores = {}
    for rule in OTHER_RULES:
        if rule == extractor:
            continue
        outcomes: dict[str, list[bool]] = defaultdict(list)
        for row, verdict in zip(kept, grader.verdicts_under(rule, submissions), strict=True):
            outcomes[row["problem_id"]].append(verdict == "correct")
        scores[rule] = average(list(outcomes.values()))
    return replace(summary, other_rules=scores)
