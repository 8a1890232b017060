"""Sums of what a server counted."""

from __future__ import annotations

from typing import Any

from orz_bench.results.usage import shown_cost, thoughts_note, thoughts_of, usage_note, usage_of


def row(prompt: int | None = 10, new: int = 5, *, choices: int = 1, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "new_tokens": new, "reasoning_tokens": None} | more
    return {"usage": usage} | ({"choices": choices} if choices > 1 else {})


def test_sums_are_left_out_where_a_row_does_not_say() -> None:
    assert usage_of([{}, {"usage": "x"}]) == {}
    assert usage_of([row(), row(7, 2), {}]) == {"num_samples": 2, "prompt_tokens": 17, "new_tokens": 7}
    assert "prompt_tokens" not in usage_of([row(), row(None)])
    assert usage_of([row(reasoning_tokens=3), row(reasoning_tokens=1)])["reasoning_tokens"] == 4
    assert "reasoning_tokens" not in usage_of([row(reasoning_tokens=3), row()])


def test_a_shared_prompt_counts_once() -> None:
    assert usage_of([row(10, choices=3)] * 3 + [row(10)])["prompt_tokens"] == 20


def test_a_cost_says_how_many_samples_it_is_of() -> None:
    found = usage_of([row(cost=0.25), row(cost=0.5), row()])
    assert (found["cost"], found["num_priced"], found["num_samples"]) == (0.75, 2, 3)
    assert usage_note(found) == (
        "the server counted 30 tokens of prompts and 15 new tokens for 3 samples, cost 0.750 for 2 of them: the others "
        "were generated without prices"
    )
    assert usage_note(usage_of([row(reasoning_tokens=2)])) == (
        "the server counted 10 tokens of prompts and 5 new tokens (2 of thoughts) for 1 sample"
    )
    assert usage_note({}) is None


def test_thoughts_that_were_kept_in_two_ways_are_told() -> None:
    rows = [{"thought_field": "reasoning"}, {"thought_field": "content"}, {"thought_field": "reasoning"}, {}]
    assert thoughts_of(rows) == {"content": 1, "reasoning": 2}
    assert "the thoughts of 1 in content and 2 in reasoning" in (thoughts_note(thoughts_of(rows)) or "")
    assert thoughts_note({"reasoning": 2}) is thoughts_note({}) is None


def test_costs_have_three_digits() -> None:
    shown = [shown_cost({"cost": cost}) for cost in (0.0, 0.0000412, 0.0412, 0.5, 12.344, 1234.5)]
    assert shown == ["0.00", "0.0000412", "0.0412", "0.500", "12.34", "1,234.50"]
    assert shown_cost({}) == "–"
