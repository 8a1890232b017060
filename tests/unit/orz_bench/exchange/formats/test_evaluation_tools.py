"""Evaluation tools: every value where it belongs, and no verdict that is none."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import DataError
from orz_bench.exchange.formats.registry import read_file
from tests.support.foreign_files import (
    LM_EVAL,
    QWEN,
    REVIEW,
    Rows,
    contents_of,
    lines,
    parquet,
    samples_of,
    whole,
)


def test_qwen_math_has_a_row_for_each_response_and_the_raw_gold(tmp_path: Path) -> None:
    path = lines(tmp_path / "math500" / "test_qwen25-math-cot_-1_seed0_t0.6_s0_e-1.jsonl", [QWEN])
    one, two = samples_of(path, "qwen-math")
    assert (one.gold, one.extracted, one.verdict, one.benchmark) == ("10 cm", "10", "correct", "math500")
    assert (two.completion, two.extracted, two.verdict, two.sample_index) == ("b", None, "wrong", 1)
    assert contents_of(path, "qwen-math").facts == {
        "prompt_type": "qwen25-math-cot", "num": "-1", "seed": "0", "temperature": "0.6",
    }  # fmt: skip


def test_the_normalised_gold_is_never_the_gold(tmp_path: Path) -> None:
    row = {name: value for name, value in QWEN.items() if name not in ("answer", "score")}
    sample, _ = samples_of(lines(tmp_path / "x.jsonl", [row]), "qwen-math")
    assert (sample.gold, sample.verdict, sample.extra["gt"]) == (None, None, "10")


def test_lists_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1: 2 responses in code, but 1 value in score"):
        samples_of(lines(tmp_path / "x.jsonl", [QWEN | {"score": [True]}]), "qwen-math")


def test_filters_of_lm_eval_are_extractors_of_one_sample(tmp_path: Path) -> None:
    flexible = LM_EVAL | {"filter": "flexible-extract", "filtered_resps": ["[invalid]"], "exact_match": 0.0}
    (sample,) = samples_of(
        lines(tmp_path / "samples_gsm8k_2024-08-29T03-19-00.1.jsonl", [LM_EVAL, flexible]), "lm-eval"
    )
    assert (sample.benchmark, sample.question, sample.prompt, sample.gold) == ("gsm8k", "1+1?", "Q: 1+1?\nA:", "2")
    assert (sample.extracted, sample.verdict) == ("2", "correct")
    assert (sample.second_extractor, sample.second_extracted, sample.second_verdict) == (
        "flexible-extract",
        None,
        "wrong",
    )


def test_log_likelihoods_are_no_responses(tmp_path: Path) -> None:
    row = LM_EVAL | {"resps": [[[-1.5, False]], [[-0.5, True]]], "filtered_resps": [[-1.5, False], [-0.5, True]]}
    contents = contents_of(lines(tmp_path / "samples_mathqa_2024-08-29T03-19-00.1.jsonl", [row]), "lm-eval")
    assert contents.kind == "nothing"
    assert "log-likelihood" in contents.what


def test_results_of_lm_eval_are_scores_without_answers(tmp_path: Path) -> None:
    found = {"gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.75, "exact_match_stderr,strict-match": 0.01}}
    path = whole(tmp_path / "results.json", {"results": found, "configs": {}, "versions": {}})
    (score,) = contents_of(path, "lm-eval").scores
    assert (score.benchmark, score.metric, score.value) == ("gsm8k", "exact_match, strict-match", 0.75)


def inspect_sample(value: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "q1",
        "epoch": 2,
        "input": "attachment://abc",
        "target": ["4"],
        "messages": [],
        "output": {
            "choices": [
                {
                    "message": {
                        "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "It is 4"}]
                    },
                    "stop_reason": "max_tokens",
                }
            ],
            "usage": {"output_tokens": 5},
        },
        "scores": {"match": {"value": value, "answer": "4"}},
        "attachments": {"abc": "2+2?"},
        **fields,
    }


def inspect_log(path: Path, samples: Rows, *, version: int = 2, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    header = {"version": version, "status": "success", "eval": {"task": "pkg/sums", "model": "m"}}
    if path.suffix == ".json":
        return whole(path, header | {"samples": list(samples)})
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("header.json", json.dumps(header))
        for number, sample in enumerate(samples):
            archive.writestr(f"samples/{number}_epoch_1.json", json.dumps(sample))
    return path


@pytest.mark.parametrize("name", ["log.eval", "log.json"])
def test_inspect_logs(tmp_path: Path, name: str) -> None:
    path = inspect_log(tmp_path / name, [inspect_sample("C")])
    (sample,) = samples_of(path, "inspect")
    assert (sample.completion, sample.question, sample.gold, sample.extracted) == ("It is 4", "2+2?", "4", "4")
    assert (sample.verdict, sample.judge, sample.benchmark) == ("correct", "inspect: match", "sums")
    assert (sample.problem_id, sample.sample_index) == ("q1", 1)
    assert (sample.num_tokens, sample.stop_reason, sample.extra["reasoning"]) == (5, "length", "hm")
    assert contents_of(path, "inspect").what == "an inspect log of 1 sample of sums"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("C", "correct"),
        ("I", "wrong"),
        ("N", "no_answer"),
        ("P", None),
        (1, "correct"),
        (0.0, "wrong"),
        (0.5, None),
        (True, "correct"),
        ({"a": 1}, None),
        ("fine", None),
        (None, None),
    ],
)
def test_values_of_inspect(tmp_path: Path, value: Any, verdict: str | None) -> None:
    (sample,) = samples_of(inspect_log(tmp_path / "log.json", [inspect_sample(value)]), "inspect")
    assert sample.verdict == verdict


def test_an_inspect_log_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="an inspect log of version 3, wanted 2"):
        read_file(inspect_log(tmp_path / "log.eval", [inspect_sample("C")], version=3))


def test_a_truncated_log_is_refused(tmp_path: Path) -> None:
    path = inspect_log(tmp_path / "log.eval", [inspect_sample("C")] * 9)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="damaged zip file"):
        read_file(path)


def test_evalscope_reviews(tmp_path: Path) -> None:
    wrong = {
        "score": {"value": {"acc": 0.0}, "extracted_prediction": "3", "prediction": "3"},
        "sample_id": 18,
        "group_id": 4,
    }
    one, two = samples_of(lines(tmp_path / "gsm8k_main.jsonl", [REVIEW, REVIEW | {"sample_score": wrong}]), "evalscope")
    assert (one.problem_id, one.sample_index, two.sample_index) == ("4", 0, 1)
    assert (one.question, one.gold, one.extracted, one.verdict, two.verdict) == ("1+1?", "2", "2", "correct", "wrong")


def test_evalscope_predictions_and_old_reviews_without_secrets(tmp_path: Path) -> None:
    output = {"choices": [{"message": {"content": "2"}, "stop_reason": "stop"}], "usage": {"output_tokens": 7}}
    (sample,) = samples_of(
        lines(tmp_path / "p.jsonl", [{"index": 0, "model": "m", "model_output": output}]), "evalscope"
    )
    assert (sample.completion, sample.num_tokens, sample.verdict) == ("2", 7, None)
    old = {
        "index": 0,
        "choices": [{"message": {"content": "B"}, "review": {"gold": "A", "pred": "B", "result": False}}],
        "raw_input": {"question": "q"},
        "api_key": "SECRET",
        "subset_name": "main",
    }
    (sample,) = samples_of(lines(tmp_path / "o.jsonl", [old]), "evalscope")
    assert (sample.gold, sample.extracted, sample.verdict, sample.problem_id) == ("A", "B", "wrong", "main/0")
    assert "SECRET" not in repr(sample)


def test_nemo_skills(tmp_path: Path) -> None:
    row = {
        "problem": "q",
        "expected_answer": "2",
        "generation": "two",
        "predicted_answer": None,
        "symbolic_correct": False,
    }
    (sample,) = samples_of(lines(tmp_path / "aime24" / "output-rs3.jsonl", [row]), "nemo-skills")
    assert (sample.benchmark, sample.sample_index, sample.problem_id) == ("aime24", 3, "row-1")
    assert (sample.verdict, sample.completion) == ("no_answer", "two")
    stripped = {"predicted_answer": "C", "symbolic_correct": True, "num_generated_tokens": 9}
    (sample,) = samples_of(lines(tmp_path / "gpqa" / "output.jsonl", [stripped]), "nemo-skills")
    assert (sample.has_text, sample.verdict, sample.num_tokens, sample.sample_index) == (False, "correct", 9, None)


def test_livecodebench(tmp_path: Path) -> None:
    row = {"question_id": "1_A", "question_content": "q", "output_list": ["x", "y"], "code_list": ["1", ""]}
    judged = whole(tmp_path / "a_eval_all.json", [row | {"graded_list": [True, False], "pass@1": 0.5}])
    assert [sample.verdict for sample in samples_of(judged, "livecodebench")] == ["correct", "wrong"]
    assert [sample.extracted for sample in samples_of(whole(tmp_path / "a.json", [row]), "livecodebench")] == [
        "1",
        None,
    ]
    scores = whole(tmp_path / "a_eval.json", [{"pass@1": 0.5, "detail": {"pass@1": {"0": 0.5}}}, {}, []])
    assert contents_of(scores, "livecodebench").kind == "scores"


def test_opencompass_is_an_object_of_rows(tmp_path: Path) -> None:
    rows = {
        "0": {"origin_prompt": "q0", "prediction": "a", "gold": "A"},
        "1": {"origin_prompt": "q1", "prediction": ["b", "c"]},
    }
    samples = samples_of(whole(tmp_path / "ceval_1.json", rows), "opencompass")
    assert [(s.problem_id, s.sample_index, s.completion) for s in samples] == [
        ("1-0", 0, "a"),
        ("1-1", 0, "b"),
        ("1-1", 1, "c"),
    ]
    assert (samples[0].benchmark, samples[0].gold) == ("ceval", "A")


def test_lighteval_details(tmp_path: Path) -> None:
    doc = {"id": "3", "query": "long q", "choices": ["4", "5"], "gold_index": 0, "task_name": "x"}
    columns = {
        "doc": [doc],
        "model_response": [{"text": ["It is 4"], "input": "prompt"}],
        "metric": [{"extractive_match": 1.0}],
    }
    (sample,) = samples_of(
        parquet(tmp_path / "details_lighteval|aime24|0_2025-01-01T00-00-00.parquet", columns), "lighteval"
    )
    assert (sample.gold, sample.verdict, sample.benchmark, sample.completion) == ("4", "correct", "aime24", "It is 4")
