"""From a grade to a reward: rule-based and binary, as in Open-Reasoner-Zero."""

from __future__ import annotations

from orz_bench.records.rollout import StopReason, Verdict


def binary_reward(verdict: Verdict, stop_reason: StopReason) -> float:
    """1 for a right answer of a response that ended by itself, else 0: what the token limit cut earns nothing."""
    return float(verdict == "correct" and stop_reason != "length")
