"""Valid records with what matters set: a_problem(gold="7"), a_rollout(verdict="wrong")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orz_bench.records.rollout import Completion, Grade, Problem, Request, Rollout
from orz_bench.records.summary import EvalResult, Summary


def a_problem(**changes: Any) -> Problem:
    """A math problem."""
    facts: dict[str, Any] = {
        "benchmark": "arithmetic",
        "problem_id": "p0",
        "question": "What is 1 + 1?",
        "gold": "2",
        "kind": "math",
    }
    return Problem(**facts | changes)


def a_request(*, problem: Problem | None = None, **changes: Any) -> Request:
    """A request for the first sample of a problem."""
    facts: dict[str, Any] = {
        "problem": problem or a_problem(),
        "sample_index": 0,
        "seed": 1,
        "prompt": "What is 1 + 1?",
        "prompt_token_ids": (1, 2, 3),
    }
    return Request(**facts | changes)


def a_completion(**changes: Any) -> Completion:
    """A right answer in the ORZ format."""
    facts: dict[str, Any] = {
        "problem_id": "p0",
        "sample_index": 0,
        "seed": 1,
        "text": "easy </think> <answer> \\boxed{2} </answer>",
        "num_tokens": 9,
        "stop_reason": "stop_string",
    }
    return Completion(**facts | changes)


def a_grade(**changes: Any) -> Grade:
    """A right answer's grade."""
    facts: dict[str, Any] = {
        "verdict": "correct",
        "why": "same text",
        "extracted": "2",
        "second_extractor": "boxed",
        "second_extracted": "2",
        "second_verdict": "correct",
    }
    return Grade(**facts | changes)


def a_rollout(**changes: Any) -> Rollout:
    """A right answer as a row."""
    facts: dict[str, Any] = {
        "benchmark": "arithmetic",
        "problem_id": "p0",
        "question": "What is 1 + 1?",
        "gold": "2",
        "sample_index": 0,
        "seed": 1,
        "step": 0,
        "prompt": "What is 1 + 1?",
        "completion": "easy </think> <answer> \\boxed{2} </answer>",
        "num_tokens": 9,
        "stop_reason": "stop_string",
        "extracted": "2",
        "verdict": "correct",
        "why": "same text",
        "second_extractor": "boxed",
        "second_extracted": "2",
        "second_verdict": "correct",
        "grader_version": "test",
    }
    return Rollout(**facts | changes)


def a_rollout_of_tokens(prompt: Sequence[int], answer: Sequence[int], **changes: Any) -> Rollout:
    """A row with these token ids, which also name its problem."""
    facts: dict[str, Any] = {
        "problem_id": str(prompt),
        "prompt_token_ids": prompt,
        "token_ids": answer,
        "num_tokens": len(answer),
    }
    return a_rollout(**facts | changes)


def a_summary(**changes: Any) -> Summary:
    """One question, two samples, one right."""
    facts: dict[str, Any] = {
        "num_problems": 1,
        "num_samples": 2,
        "n": 2,
        "avg_at_n": 0.5,
        "se_sampling": 0.5,
        "se_question": None,
        "pass_at": {"1": 0.5, "2": 1.0},
        "maj_at_n": 0.5,
        "g_pass_at": {"2@0.5": 1.0, "mean": 0.0},
        "extraction_rate": 1.0,
        "clip_rate": 0.0,
        "no_answer_rate": 0.0,
        "accuracy_finished": 0.5,
        "accuracy_second_extractor": 0.5,
        "second_extractor": "boxed",
        "duplicate_rate": 0.0,
        "mean_tokens": 9.0,
        "token_percentiles": {"5": 9.0, "50": 9.0, "95": 9.0, "100": 9.0},
        "mean_tokens_correct": 9.0,
        "mean_tokens_wrong": 9.0,
        "verdicts": {"correct": 1, "wrong": 1},
    }
    return Summary(**facts | changes)


def a_result(**changes: Any) -> EvalResult:
    """An evaluation of `arithmetic`."""
    facts: dict[str, Any] = {
        "run": "runs/x",
        "benchmark": "arithmetic",
        "step": 0,
        "fingerprint": "0123456789ab",
        "model": "tiny",
        "protocol": {"benchmark": "arithmetic", "template": "plain", "temperature": 1.0},
        "summary": a_summary(),
        "num_problems_total": 1,
    }
    return EvalResult(**facts | changes)
