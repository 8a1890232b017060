"""Rewards for grades: rule-based and binary, as in Open-Reasoner-Zero, or a function of a package's own (orz.rewards).

DAPO's overlong shaping is optional and added to either.
"""

from __future__ import annotations

from orz_bench.records.rollout import Completion, Grade, Problem, StopReason, Verdict


def binary_reward(verdict: Verdict, stop_reason: StopReason) -> float:
    """1 for a correct answer in a response that was not truncated by the token limit, else 0."""
    return float(verdict == "correct" and stop_reason != "length")


class _Binary:
    """The default: binary_reward of the grade's verdict."""

    def __call__(self, problem: Problem, completion: Completion, grade: Grade) -> float:
        del problem
        return binary_reward(grade.verdict, completion.stop_reason)


binary = _Binary()


def overlong_penalty(num_tokens: int, *, max_tokens: int, buffer: int) -> float:
    """0 until `buffer` tokens before the limit, then falling linearly to -1 at the limit (DAPO, 2503.14476, eq. 13)."""
    if buffer == 0:
        return 0.0
    return max(-1.0, min(0.0, (max_tokens - buffer - num_tokens) / buffer))
