"""Parts of a score against hand-made counts, and their way through files and reports."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from orz_bench.records.summary import EvalResult, Part, Summary
from orz_bench.results.breakdown import PartedSample, break_down
from orz_bench.results.breakdown_tables import breakdowns_of
from orz_bench.results.html import render_html
from orz_bench.results.report import layout_of, render_json, render_markdown, row_of
from tests.support.builders import a_result, a_summary


def a_sample(problem: str, *, right: bool = True, **extra: Any) -> PartedSample:
    return PartedSample(problem_id=problem, is_correct=right, extra=extra)


def test_questions_are_averaged_within_their_group() -> None:
    samples = [
        a_sample("a", right=True, subject="law"),
        a_sample("a", right=False, subject="law"),
        a_sample("b", right=True, subject="law"),
        a_sample("c", right=False, subject="art"),
        a_sample("d", right=True),
    ]
    (parts,) = break_down(samples, ["subject"]).values()
    assert list(parts) == ["art", "law"]
    assert (parts["law"].value, parts["law"].num) == (0.75, 2)
    assert parts["law"].standard_error == pytest.approx(np.std([0.5, 1.0], ddof=1) / np.sqrt(2))
    assert parts["art"] == Part(value=0.0, standard_error=None, num=1)
    assert break_down(samples, []) == break_down(samples, ["a key of no question"]) == {}


def followed(problem: str, *outcomes: tuple[str, bool, bool]) -> PartedSample:
    instructions = [{"id": name, "strict": strict, "loose": loose} for name, strict, loose in outcomes]
    return a_sample(problem, right=all(strict for _, strict, _ in outcomes), instructions=instructions)


def test_the_four_measures_of_ifeval() -> None:
    samples = [
        followed("p", ("x", True, True), ("y", False, True)),
        followed("q", ("x", True, True)),
        followed("r", ("y", False, False), ("y", True, True), ("z", True, True)),
    ]
    parts = break_down(samples, [])
    measures: dict[str, Any] = {name: (part.value, part.num) for name, part in parts["measure"].items()}
    assert measures == {
        "prompt, strict": (pytest.approx(1 / 3), 3),
        "instruction, strict": (pytest.approx(4 / 6), 6),
        "prompt, loose": (pytest.approx(2 / 3), 3),
        "instruction, loose": (pytest.approx(5 / 6), 6),
    }
    types: dict[str, Any] = {name: (part.value, part.num) for name, part in parts["instruction (strict)"].items()}
    assert types == {"x": (1.0, 2), "y": (pytest.approx(1 / 3), 3), "z": (1.0, 1)}


def test_the_error_of_the_instruction_level_is_that_of_redrawn_prompts() -> None:
    """Against a bootstrap over prompts, whose instructions succeed and fail together."""
    draw = random.Random(3)
    samples = []
    for at in range(200):
        skill = draw.random()
        samples.append(followed(str(at), *(("x", draw.random() < skill, True) for _ in range(draw.randrange(1, 4)))))
    part = break_down(samples, [])["measure"]["instruction, strict"]
    counts = np.array(
        [[sum(o["strict"] for o in s.extra["instructions"]), len(s.extra["instructions"])] for s in samples]
    )
    rng = np.random.default_rng(0)
    totals = counts[rng.integers(0, 200, size=(4_000, 200))].sum(axis=1)
    assert part.standard_error == pytest.approx(np.std(totals[:, 0] / totals[:, 1]), rel=0.08)


def a_broken_down_result(**changes: Any) -> EvalResult:
    parts = {
        "<b>law|": Part(value=0.5, standard_error=0.1, num=9, low=0.3, high=0.7),
        "art": Part(value=0.25, standard_error=None, num=1),
    }
    return a_result(summary=a_summary(breakdown={"subject": parts}), benchmark="mmlu", **changes)


def test_a_breakdown_survives_its_file_and_old_files_have_none() -> None:
    summary = a_broken_down_result().summary
    assert Summary.from_json(summary.to_json()) == summary
    assert "breakdown" not in a_summary().to_json()
    assert Summary.from_json(a_summary().to_json()).breakdown == {}


def test_reports_show_the_parts_side_by_side_and_escaped() -> None:
    results = [a_broken_down_result(), a_broken_down_result(model="other", step=3)]
    (table,) = breakdowns_of(results)
    assert table.title == "mmlu by subject"
    assert table.headings == ["subject", "number", "tiny", "other step 3"]
    assert table.rows == [["<b>law|", "9", "50.0 ± 20.0", "50.0 ± 20.0"], ["art", "1", "25.0", "25.0"]]
    assert list(breakdowns_of(results, max_parts=1)) == []
    assert "&lt;b&gt;law" in render_html(results)
    assert "<b>law" not in render_html(results)
    assert "| &lt;b>law\\| | 9 | 50.0 ± 20.0 | 50.0 ± 20.0 |" in render_markdown(results)
    assert render_json(results)["results"][0]["breakdown"]["subject"]["art"]["value"] == 0.25


def test_what_is_neither_right_nor_wrong_has_no_score() -> None:
    figures = {"lm-eval": {"text word_perplexity": Part(value=12.3456, standard_error=None, num=4, is_share=False)}}
    result = a_result(summary=a_summary(breakdown=figures), protocol={"scored_by": None})
    assert row_of(result, layout_of([result]))[1:6] == ["–"] * 5
    assert "its figures are in the table below" in render_markdown([result])
    assert "| text word\\_perplexity | 4 | 12.35 |".replace("\\_", "_") in render_markdown([result])


def test_values_are_in_the_order_of_their_numbers() -> None:
    levels = ["10", "2", "1", "Level 10", "Level 2", "other", "STEM"]
    samples = [PartedSample(problem_id=level, is_correct=True, extra={"level": level}) for level in levels]
    assert list(break_down(samples, ["level"])["level"]) == ["1", "2", "10", "Level 2", "Level 10", "STEM", "other"]
