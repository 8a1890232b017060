"""Rows of MMLU, MMLU-Pro and IFEval, in the hub's shape and in that of JSON lines; all of them invented."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orz_bench.asking.templates import TEMPLATES, orz_code
from orz_bench.benchmarks import ifeval, mmlu, mmlu_pro
from orz_bench.benchmarks.benchmark import HubDataset
from orz_bench.benchmarks.digests import data_hash
from orz_bench.benchmarks.loading.hub import HubFile
from orz_bench.benchmarks.loading.load import examples_place, fetch_benchmark, load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem

MMLU_ROW = {"question": "Which? ", "choices": ["one", "two", "three", "four"], "subject": "virology", "answer": 3}
PRO_ROW = {
    "question_id": 7,
    "question": "Which is even?",
    "options": ["1", "2", "3"],
    "answer": "B",
    "answer_index": 1,
    "category": "math",
    "cot_content": "",
}
parse_mmlu = partial(mmlu.parse_row, benchmark="mmlu")


def test_a_row_of_mmlu_in_both_shapes() -> None:
    found = parse_mmlu(MMLU_ROW, 5)
    assert (found.problem_id, found.gold, found.num_choices) == ("mmlu-5", "D", 4)
    assert found.question == "Which?\nA. one\nB. two\nC. three\nD. four"
    assert found.extra == {"subject": "virology", "category": "other"}
    assert parse_mmlu(MMLU_ROW | {"answer": "D", "id": "virology-1"}, 5) == replace(found, problem_id="virology-1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": 4}, "wanted one of the letters ABCD"),
        ({"answer": "E"}, "wanted one of the letters ABCD"),
        ({"answer": True}, "wanted one of the letters ABCD"),
        ({"choices": ["one", "two"]}, "found 2 options, wanted 4"),
        ({"choices": "ABCD"}, "no list of texts"),
        ({"subject": "alchemy"}, "none of MMLU's 57"),
        ({"question": " "}, "found no text"),
    ],
)
def test_what_is_wrong_with_a_row_of_mmlu_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_mmlu(MMLU_ROW | change, 0)


def test_a_row_of_mmlu_pro_shows_no_filler_options() -> None:
    found = mmlu_pro.parse_row(PRO_ROW | {"options": ["1", "2", "3", "N/A", "N/A"]}, 0)
    assert (found.problem_id, found.gold, found.num_choices) == ("mmlu_pro-7", "B", 3)
    assert found.question == "Which is even?\nOptions:\nA. 1\nB. 2\nC. 3"
    local = {**PRO_ROW, "choices": ["1", "2", "3"], "id": "x", "question_id": None}
    assert mmlu_pro.parse_row(local, 0) == replace(found, problem_id="x")
    alone = mmlu_pro.parse_row(PRO_ROW | {"options": ["2"], "answer": "A"}, 0)
    assert (alone.num_choices, alone.gold) == (1, "A"), "some of its questions are left with one option"
    with pytest.raises(DataError, match="letters ABC"):
        mmlu_pro.parse_row(PRO_ROW | {"answer": "D"}, 0)


def validation(category: str, count: int = 5) -> list[dict[str, Any]]:
    solution = "A: Let's think step by step. It is two. The answer is (B)."
    return [
        PRO_ROW | {"question": f"{category} {at}?", "category": category, "cot_content": solution}
        for at in range(count)
    ]


def test_the_prompt_of_mmlu_pro_is_that_of_the_official_script() -> None:
    problem = mmlu_pro.parse_row(PRO_ROW, 0)
    (shown,) = mmlu_pro.with_examples([problem], [*validation("law"), *validation("math", 7)])
    example = (
        "Question:\nmath {}?\nOptions:\nA. 1\nB. 2\nC. 3\nAnswer: Let's think step by step. It is two. "
        "The answer is (B).\n\n"
    )
    head = (
        "The following are multiple choice questions (with answers) about math. Think step by step and then finish "
        'your answer with "the answer is (X)" where X is the correct letter choice.\n\n\n\n'
    )
    prompt = TEMPLATES["mmlu-pro"](shown, None)
    assert prompt == (
        head
        + "".join(example.format(at) for at in range(5))
        + "Question:\nWhich is even?\nOptions:\nA. 1\nB. 2\nC. 3\nAnswer: Let's think step by step."
    )
    assert orz_code(shown, None) == orz_code(problem, None), "the zero-shot templates show no examples"
    assert data_hash([shown]) != data_hash([problem])


@pytest.mark.parametrize(
    ("join", "problem", "rows"),
    [
        (mmlu_pro.with_examples, mmlu_pro.parse_row(PRO_ROW, 0), validation("math", 4)),
        (mmlu.with_examples, parse_mmlu(MMLU_ROW, 0), [MMLU_ROW] * 4),
    ],
)
def test_too_few_examples_are_an_error(join: Any, problem: Problem, rows: list[Any]) -> None:
    with pytest.raises(DataError, match="fewer than 5 questions of"):
        join([problem], rows)


def test_missing_examples_name_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mmlu_pro_test.jsonl").write_text(json.dumps(PRO_ROW) + "\n", encoding="utf-8")
    benchmark = replace(get_benchmark("mmlu_pro"), num_problems=None)
    facts: dict[str, Any] = {"folders": [tmp_path], "cache": tmp_path / "cache"}
    assert len(load_problems(benchmark, **facts).problems) == 1
    (tmp_path / "cache").write_text("no folder, so that nothing is fetched", encoding="utf-8")
    with pytest.raises((DataError, OSError)):
        load_problems(benchmark, **facts, with_examples=True)
    (tmp_path / "mmlu_pro_validation.jsonl").write_text("\n".join(map(json.dumps, validation("math"))), "utf-8")
    (problem,) = load_problems(benchmark, **facts, with_examples=True).problems
    assert problem.examples.count("Question:") == 5


def test_examples_are_fetched_with_the_questions(tmp_path: Path) -> None:
    """In the hub's own format, a table of columns, at the pinned commit."""

    def download(hub: HubDataset, file: str) -> HubFile:
        rows = validation("math") if "validation" in file else [PRO_ROW]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
        return HubFile(tmp_path / "table.parquet", hub.revision)

    benchmark, cache = replace(get_benchmark("mmlu_pro"), num_problems=None), tmp_path / "cache"
    assert (
        examples_place(benchmark, [], cache=cache)
        == "not here: orz-bench data fetch mmlu_pro, or protocols that show none"
    )
    fetch_benchmark(benchmark, cache=cache, download=download)
    (problem,) = load_problems(benchmark, cache=cache, with_examples=True).problems
    assert (problem.gold, problem.examples.count("Question:")) == ("B", 5)
    assert str(examples_place(benchmark, [], cache=cache)).startswith(str(cache))
    assert examples_place(get_benchmark("ifeval"), [], cache=cache) is None


IFEVAL_ROW = {
    "key": 12,
    "prompt": "Write a poem without commas, of two lines.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_sentences"],
    "kwargs": [{"num_words": None}, {"relation": "at least", "num_sentences": 2, "num_words": None}],
}


def test_a_row_of_ifeval_in_both_shapes() -> None:
    found = ifeval.parse_row(IFEVAL_ROW, 0)
    assert (found.problem_id, found.question, found.kind) == ("ifeval-12", IFEVAL_ROW["prompt"], "instruction")
    assert json.loads(found.gold) == [
        {"id": "punctuation:no_comma", "arguments": {}},
        {"id": "length_constraints:number_sentences", "arguments": {"relation": "at least", "num_sentences": 2}},
    ]
    local = {key: value for key, value in IFEVAL_ROW.items() if key != "key"} | {"id": 12}
    assert ifeval.parse_row(local, 0) == replace(found, problem_id="12")


@pytest.mark.parametrize("change", [{"prompt": ""}, {"kwargs": []}, {"instruction_id_list": []}, {"kwargs": None}])
def test_what_is_wrong_with_a_row_of_ifeval_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"wanted lists|found no text"):
        ifeval.parse_row(IFEVAL_ROW | change, 0)


def test_templates_ask_for_no_box_where_instructions_are_to_be_followed() -> None:
    problem = ifeval.parse_row(IFEVAL_ROW, 0)
    assert TEMPLATES["plain"](problem, None) == f"{problem.question}\n"
