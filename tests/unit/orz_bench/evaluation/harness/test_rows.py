"""Which metrics of lm-eval make a verdict, and what of a group counts."""

from __future__ import annotations

from typing import Any

import pytest

from orz_bench.evaluation.harness.rows import HarnessRows, figures_of, rows_of


def a_sample(doc: int, **metrics: Any) -> dict[str, Any]:
    return {
        "doc_id": doc,
        "filter": "none",
        "arguments": [("question",)],
        "resps": [["text"]],
        "filtered_resps": ["text"],
        "target": "text",
        "metrics": list(metrics),
        **metrics,
    }


def rows(samples: dict[str, list[dict[str, Any]]], **more: Any) -> HarnessRows:
    identity = {"benchmark": "lm-eval:x", "step": 0, "seed": 1, "grader_version": "t"}
    return rows_of({"samples": samples} | more, identity=identity, num_tokens=len)


@pytest.mark.parametrize("metric", ["brier_score", "word_perplexity", "ter", "mcc", "f1", "anything"])
def test_a_metric_that_happens_to_be_0_or_1_is_no_verdict(metric: str) -> None:
    found = rows({"t": [a_sample(0, **{metric: 1}), a_sample(1, **{metric: 0})]})
    assert found.scored_by is None
    assert {rollout.verdict for rollout in found.rollouts} == {"unparseable"}


def test_a_known_metric_is_one_where_more_is_better() -> None:
    samples = {"t": [a_sample(0, brier_score=1, acc=0), a_sample(1, brier_score=0, acc=1)]}
    assert [rollout.verdict for rollout in rows(samples).rollouts] == ["wrong", "correct"]
    assert rows(samples, higher_is_better={"t": {"acc": True}}).scored_by == "acc"
    assert rows(samples, higher_is_better={"t": {"acc": False}}).scored_by is None


def test_a_perplexity_in_a_group_is_no_wrong_answer() -> None:
    found = rows({"choice": [a_sample(0, acc=1), a_sample(1, acc=1)], "text": [a_sample(0, word_perplexity=12.5)]})
    assert found.scored == {("choice-0", 0), ("choice-1", 0)}
    assert len(found.rollouts) == 3
    assert found.notes == ("not in avg@n, as no metric says right or wrong: text",)
    alone = rows({"text": [a_sample(0, word_perplexity=12.5)]})
    assert (alone.scored, alone.notes) == ({("text-0", 0)}, ())


def test_no_bar_of_a_figure_is_0() -> None:
    results = {"t": {"acc,none": 0.0, "acc_stderr,none": 0.0, "bleu,none": 3.0, "bleu_stderr,none": 0.0}}
    found = figures_of({"results": results, "n-samples": {"t": {"effective": 30}}})
    assert (found["t acc"].standard_error or 0) > 0
    assert 0.05 < (found["t acc"].high or 0) < 0.15
    assert (found["t bleu"].standard_error, found["t bleu"].low) == (None, None)
