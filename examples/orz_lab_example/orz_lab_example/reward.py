"""A reward: correct answers, the shorter the better."""

from __future__ import annotations

from orz_bench.records.rollout import Completion, Grade, Problem


def brief(problem: Problem, completion: Completion, grade: Grade) -> float:
    """1 for a correct answer of no tokens, falling to 0.5 at 100 tokens; 0 for any other answer."""
    del problem
    if not grade.is_correct or completion.stop_reason == "length":
        return 0.0
    return 1.0 - 0.5 * min(completion.num_tokens, 100) / 100
