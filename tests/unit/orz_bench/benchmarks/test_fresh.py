"""Benchmarks of 2025 and 2026: their rows in the hub's shape, what is left out, golds with several answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.benchmarks.benchmark import HubDataset
from orz_bench.benchmarks.loading.hub import HubFile
from orz_bench.benchmarks.loading.load import fetch_benchmark, load_problems
from orz_bench.benchmarks.mmlu_redux import LEFT_OUT
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import DataError
from orz_bench.grading.jobs import Job
from orz_bench.grading.math.judge import judge
from orz_bench.records.rollout import Problem
from tests.support.fresh_datasets import COMPETITIONS, redux_rows, supergpqa_rows, write_dataset


def loaded(folder: Path, name: str) -> tuple[Problem, ...]:
    return load_problems(get_benchmark(name), folders=[folder], cache=folder / "cache").problems


def parsed(name: str, row: dict[str, Any]) -> Problem:
    parse = get_benchmark(name).parse_row
    assert parse is not None
    return parse(row, 3)


@pytest.mark.parametrize("name", COMPETITIONS)
def test_a_competition_is_read_from_a_downloaded_dataset(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path, name)
    problems = loaded(tmp_path, name)
    assert len(problems) == get_benchmark(name).num_problems
    assert len({problem.problem_id for problem in problems}) == len(problems)
    for gold in {problem.gold for problem in problems}:
        assert judge(Job(gold, gold, True, "gold")).verdict == "correct", gold


@pytest.mark.parametrize("row", [{"answer": "3, \\frac{1}{2}"}, {"answer": ["3", "$\\frac{1}{2}$"]}])
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("\\frac{1}{2}, 3", "correct"),
        ("0.5 \\text{ and } 3", "correct"),
        ("\\{\\tfrac12, 3\\}", "correct"),
        ("3", "wrong"),
        ("3, \\frac{1}{2}, 3", "wrong"),
        ("\\frac{1}{2}, 4", "wrong"),
    ],
)
def test_several_answers_are_graded_in_any_order(row: dict[str, Any], answer: str, verdict: str) -> None:
    gold = parsed("hmmt_feb25", {"problem_idx": 8, "problem": "?"} | row).gold
    assert judge(Job(gold, answer, True)).verdict == verdict


def test_a_row_of_a_competition() -> None:
    row = {"problem_idx": 8, "problem": "?", "answer": 70.0, "problem_type": ["Algebra", "Geometry"]}
    found = parsed("hmmt_feb26", row)
    assert (found.problem_id, found.gold, found.extra) == ("hmmt_feb26-8", "70", {"problem_type": "Algebra, Geometry"})
    assert parsed("smt25", {"problem": "?", "answer": "\\$18"}).gold == "\\$18"
    with pytest.raises(DataError, match="lacks the column answer or final_answer or Answer; found problem, solution"):
        parsed("smt25", {"problem": "?", "solution": "18"})
    with pytest.raises(DataError, match=r"lacks the columns problem or .* or prompt, and answer or .*; found text"):
        parsed("smt25", {"text": "?"})
    with pytest.raises(DataError, match="wanted a text, a number, or a list of them"):
        parsed("smt25", {"problem": "?", "answer": []})


def test_supergpqa_shows_its_options_as_the_official_prompt_does() -> None:
    row = supergpqa_rows(2)[1]
    found = parsed("supergpqa", row)
    assert (found.gold, found.num_choices, found.problem_id) == ("B", 5, row["uuid"])
    assert found.question.splitlines()[1:3] == ["A) option 1.0", "B) option 1.1"]
    assert found.extra["difficulty"] == "middle"
    with pytest.raises(DataError, match="lacks the column answer_letter; found uuid, question, options, answer, disc"):
        parsed("supergpqa", {key: value for key, value in row.items() if key != "answer_letter"})
    with pytest.raises(DataError, match="wanted one of the letters ABCDE"):
        parsed("supergpqa", row | {"answer_letter": "F"})
    with pytest.raises(DataError, match=r"no list of texts under choices or options \(keys: uuid"):
        parsed("supergpqa", row | {"options": "A) 1"})


def test_mmlu_redux_leaves_out_what_is_labelled_wrong(tmp_path: Path) -> None:
    root = write_dataset(tmp_path, "mmlu_redux")
    found = load_problems(get_benchmark("mmlu_redux"), folders=[tmp_path], cache=tmp_path / "cache")
    assert len(found.problems) == 57 * 90
    assert {problem.extra["error_type"] for problem in found.problems} == {"ok"}
    assert {problem.extra["category"] for problem in found.problems} == {
        "STEM",
        "humanities",
        "social sciences",
        "other",
    }
    assert found.problems[0].problem_id == "mmlu_redux-0"
    assert "5,130 questions labelled ok; those labelled bad_question_clarity" in found.notes[0]
    assert all(label in found.notes[0] for label in LEFT_OUT)
    (root / "anatomy" / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(DataError, match=r"1 file of 57 of edinburgh-dawg/mmlu-redux-2.0 missing \(anatomy/data"):
        loaded(tmp_path, "mmlu_redux")


def test_mmlu_redux_from_the_hub_has_the_same_problems(tmp_path: Path) -> None:
    root = write_dataset(tmp_path, "mmlu_redux")
    benchmark, cache = get_benchmark("mmlu_redux"), tmp_path / "cache"
    fetch_benchmark(benchmark, cache=cache, download=lambda hub, file: HubFile(root / file, hub.revision))
    assert load_problems(benchmark, cache=cache).problems == loaded(tmp_path, "mmlu_redux")


def test_a_row_of_mmlu_redux_names_its_subject_itself_in_json_lines(tmp_path: Path) -> None:
    row = redux_rows("virology", 1)[0] | {"subject": "virology"}
    benchmark = replace(get_benchmark("mmlu_redux"), num_rows=1)
    (tmp_path / "mmlu_redux.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (problem,) = load_problems(benchmark, folders=[tmp_path], cache=tmp_path / "cache").problems
    assert problem.extra["subject"] == "virology"
    with pytest.raises(DataError, match="the label 'dubious' under error_type is none of ok, bad_question_clarity"):
        parsed("mmlu_redux", row | {"error_type": "dubious"})
    assert parsed("mmlu_redux", row | {"error_type": "Wrong Groundtruth"}).extra["error_type"] == "wrong_groundtruth"
    with pytest.raises(DataError, match="no text under error_type"):
        parsed("mmlu_redux", row | {"error_type": None})


def test_hle_keeps_short_answers_without_images(tmp_path: Path) -> None:
    write_dataset(tmp_path, "hle_exact")
    problems = loaded(tmp_path, "hle_exact")
    assert len(problems) == 834
    assert {problem.extra["answer_type"] for problem in problems} == {"exactMatch"}
    assert not any("has_image" in problem.extra for problem in problems)
    row = {"id": "1", "question": "?", "answer": "x", "answer_type": "essay", "image": ""}
    with pytest.raises(DataError, match="the answer_type is 'essay', wanted exactMatch or multipleChoice"):
        parsed("hle_exact", row)
    with pytest.raises(DataError, match="lacks the column image; found id, question"):
        parsed("hle_exact", {key: value for key, value in row.items() if key != "image"})


def test_a_gated_dataset_says_how_to_get_access(tmp_path: Path) -> None:
    def refuse(_hub: HubDataset, _file: str) -> HubFile:
        raise OSError("401 Client Error: Cannot access gated repo")

    with pytest.raises(DataError) as error:
        fetch_benchmark(get_benchmark("hle_exact"), cache=tmp_path, download=refuse)
    said = str(error.value)
    assert "accept its terms at https://huggingface.co/datasets/cais/hle with your account" in said
    assert "hf auth login" in said
    assert "into a folder hle, and name the folder above it with --data-dir" in said


def test_ifbench_has_the_rows_of_ifeval(tmp_path: Path) -> None:
    write_dataset(tmp_path, "ifbench")
    problems = loaded(tmp_path, "ifbench")
    assert (problems[0].problem_id, problems[0].kind, len(problems)) == ("ifbench-0", "instruction", 300)
    assert json.loads(problems[0].gold) == [
        {"id": "count:numbers", "arguments": {"N": 2.0}},
        {"id": "format:list", "arguments": {"sep": "-"}},
    ]
    with pytest.raises(DataError, match=r"no text under prompt \(keys: key, question\)"):
        parsed("ifbench", {"key": "1", "question": "?"})


def test_a_parquet_file_of_the_benchmarks_name_is_read(tmp_path: Path) -> None:
    write_dataset(tmp_path, "aime26")
    (tmp_path / "aime_2026/data/train-00000-of-00001.parquet").rename(tmp_path / "aime26.parquet")
    assert [problem.gold for problem in loaded(tmp_path, "aime26")][:2] == ["10", "20"]


def test_the_newest_release_of_livecodebench(tmp_path: Path) -> None:
    write_dataset(tmp_path, "livecodebench:release_v6")
    assert len(loaded(tmp_path, "livecodebench:release_v6")) == 1055
