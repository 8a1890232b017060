"""The file of published figures is whole, and the right figure stands beside a result."""

from __future__ import annotations

import pytest

from orz_bench.baselines import all_baselines, baselines_for, closest_baseline


def test_every_figure_has_a_source_and_is_a_percentage() -> None:
    assert len(all_baselines()) > 50
    assert all(0 <= baseline.percent <= 100 and baseline.source and baseline.protocol for baseline in all_baselines())


def test_no_source_states_two_figures_for_one_model() -> None:
    keys = [(baseline.model, baseline.benchmark, baseline.source) for baseline in all_baselines()]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("model", "percent"),
    [("Open-Reasoner-Zero/Open-Reasoner-Zero-7B", 17.9), ("ORZ-1.5B", 3.5), ("my-run", 48.1), ("ORZ-7B/", 17.9)],
)
def test_the_figure_of_the_same_model_else_of_orz_32b(model: str, percent: float) -> None:
    baseline = closest_baseline("aime24", model)
    assert baseline is not None
    assert baseline.percent == percent


def test_a_benchmark_without_figures() -> None:
    assert closest_baseline("arithmetic", "ORZ-7B") is None


def test_the_papers_table() -> None:
    paper = {b.benchmark: b.percent for b in all_baselines() if b.model == "ORZ-32B" and "March" in b.source}
    assert paper == {
        "aime24": 48.1,
        "aime25": 36.0,
        "math500": 92.2,
        "gpqa_diamond": 55.5,
        "mmlu": 84.9,
        "mmlu_pro": 74.4,
    }
    assert {b.plus_minus for b in baselines_for("aime24") if b.model == "DAPO-Qwen-32B"} == {None, 4.0}
