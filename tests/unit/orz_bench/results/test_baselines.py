"""The file of published figures is whole, and the right figure stands beside a result."""

from __future__ import annotations

import pytest

from orz_bench.errors import ConfigError
from orz_bench.results.baselines import all_baselines, baselines_for, published_on, require_known
from orz_bench.results.report import layout_of, row_of
from tests.support.builders import a_result


def test_every_figure_has_a_source_and_is_a_percentage() -> None:
    assert len(all_baselines()) > 50
    assert all(0 <= baseline.percent <= 100 and baseline.source and baseline.protocol for baseline in all_baselines())


def test_no_source_states_two_figures_for_one_model() -> None:
    keys = [(baseline.model, baseline.benchmark, baseline.source) for baseline in all_baselines()]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("model", "figures"),
    [
        ("Open-Reasoner-Zero/Open-Reasoner-Zero-7B", ["17.9", "19.7 ± 2.9"]),
        ("/cache/hub/models--Open-Reasoner-Zero--Open-Reasoner-Zero-7B/snapshots/0f3a", ["17.9", "19.7 ± 2.9"]),
        ("ORZ-7B/", ["17.9", "19.7 ± 2.9"]),
        ("ORZ-1.5B", ["3.5"]),
        ("ORZ-15B", []),
        ("somebody/Open-Reasoner-Zero-7B", []),
        ("Qwen/Qwen2.5-0.5B", []),
        ("Qwen2.5-Math-7B-Instruct", []),
        ("ckpt-200", []),
        ("my-run", []),
        ("989aa7980e4cf806f80c7fef2b1adb7bc71aa306", []),
        ("", []),
    ],
)
def test_figures_of_this_very_model_by_every_source(model: str, figures: list[str]) -> None:
    assert [one.figure for one in published_on("aime24", model)] == figures


def test_a_benchmark_without_figures() -> None:
    assert published_on("arithmetic", "ORZ-7B") == ()


def test_a_named_baseline_has_to_be_known() -> None:
    assert require_known("orz-32b") == "orz-32b"
    with pytest.raises(ConfigError, match="no figures of it"):
        require_known("my-run")


def test_a_later_step_of_a_run_with_a_models_name_is_another_model() -> None:
    cells = [
        row_of(result, layout_of([result], baseline=beside))[-1]
        for result, beside in (
            (a_result(benchmark="aime24", model="ORZ-7B"), None),
            (a_result(benchmark="aime24", model="ORZ-7B", step=40), None),
            (a_result(benchmark="aime24", model="mine", step=40), "ORZ-1.5B"),
        )
    ]
    assert cells[0].startswith("17.9 (Open-Reasoner-Zero paper, March 2025, tables 2-4; avg@16, T 1, top_p 1); 19.7")
    assert cells[1] == "–"
    assert cells[2].startswith("ORZ-1.5B: 3.5 (")


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
