"""What a reader of results sees: numbers, notes, escaped text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.summary import EvalResult
from orz_bench.results.html import render_html
from orz_bench.results.lookup import results_of
from orz_bench.results.report import notes_on, render_json, render_markdown, render_table
from orz_bench.terminal import as_text
from tests.support.builders import a_result, a_summary


def table_text(*results: EvalResult) -> str:
    return as_text(render_table(results))


def test_the_table_names_n_and_the_published_figure() -> None:
    result = a_result(benchmark="aime24", model="Open-Reasoner-Zero-7B", summary=a_summary(n=2))
    text = table_text(result)
    assert "avg@2" in text
    assert "17.9 (Open-Reasoner-Zero paper" in text
    assert "19.7 ± 2.9 (A Sober Look" in text


def test_an_unknown_model_stands_beside_nobody() -> None:
    text = table_text(a_result(benchmark="aime24", model="mine"))
    assert "48.1" not in text
    assert text.rstrip().endswith("–")


def test_n_gets_a_column_where_it_differs() -> None:
    text = table_text(a_result(), a_result(benchmark="aime24", summary=a_summary(n=1, pass_at={"1": 0.5})))
    assert "avg@n" in text


def test_undefined_errors_are_dashes() -> None:
    assert "–" in table_text(a_result(summary=a_summary(se_sampling=None)))


def test_json_has_what_is_promised() -> None:
    (row,) = render_json([a_result()])["results"]
    promised = {"benchmark", "step", "fingerprint", "num_problems", "n", "avg_at_n", "se_sampling", "se_question"}
    promised |= {"pass_at", "maj_at_n", "extraction_rate", "clip_rate", "no_answer_rate", "mean_tokens"}
    promised |= {"num_generated_now", "verdicts"}
    assert promised <= set(row)
    json.dumps(row)


def test_what_could_mislead_is_said() -> None:
    summary = a_summary(
        extraction_rate=0.3,
        clip_rate=0.4,
        duplicate_rate=0.0123,
        accuracy_second_extractor=0.9,
        verdicts={"correct": 1, "timeout": 1},
    )
    notes = " ".join(notes_on([a_result(summary=summary, num_problems_total=100, errata=("x: the gold 1 is wrong",))]))
    for said in ("--limit", "30.0 %", "token limit", "1.2 %", "format, not capability", "too long to grade", "gold 1"):
        assert said in notes


def test_different_protocols_are_said() -> None:
    other = a_result(fingerprint="ffffffffffff", protocol={"benchmark": "arithmetic", "template": "chat"})
    assert any("different protocols" in note and "template" in note for note in notes_on([a_result(), other]))


def test_markdown_is_escaped() -> None:
    text = render_markdown([a_result(model="a|b<script>", step=1), a_result(model="c", step=2)])
    assert "a\\|b&lt;script>" in text


def test_html_is_escaped_and_needs_no_network() -> None:
    page = render_html([a_result(model="<script>alert(1)</script>", run='"><img src=x onerror=alert(1)>')])
    assert "<script" not in page
    assert "<img" not in page
    assert not re.findall(r"<[^>]*\b(?:src|href|style)=['\"]?[^'\">]*(?://|url)|url\(|@import", page)


class Counted(list[EvalResult]):
    """Counts how many results are looked at."""

    num_seen = 0

    def __iter__(self) -> Iterator[EvalResult]:
        for result in super().__iter__():
            self.num_seen += 1
            yield result


@pytest.mark.parametrize("render", [render_table, render_markdown, render_html])
def test_the_work_grows_with_the_number_of_results_not_its_square(render: Callable[..., object]) -> None:
    seen = []
    for number in (100, 200):
        results = Counted(replace(a_result(), benchmark=f"b{index}") for index in range(number))
        render(results)
        seen.append(results.num_seen)
    assert seen[1] == 2 * seen[0]


def test_a_long_table_is_cut_and_says_so() -> None:
    results = [replace(a_result(), benchmark=f"b{index}") for index in range(502)]
    text = table_text(*results)
    assert "b499 " in text
    assert "b500 " not in text.partition("·")[0]
    assert "2 more rows: --format md and --format json have all" in text
    assert "b501" in render_markdown(results)


def test_a_file_that_nobody_wrote_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    os.truncate(tmp_path / "run.json", 300 << 20)
    with pytest.raises(RunDirError, match="has 314,572,800 bytes, wanted at most"):
        results_of(tmp_path)
