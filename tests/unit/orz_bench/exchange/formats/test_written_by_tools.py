"""Files that the tools themselves wrote (tests/golden/foreign/README.md): recognised, read, scored as the tool did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orz_bench.exchange.formats.registry import read_file
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.run_dir import RunDir
from tests.support.foreign_files import samples_of
from tests.support.golden_files import GOLDEN

FOREIGN = GOLDEN / "foreign"
SUMS = ["What is 1 + 1?", "What is 2 + 2?", "What is 3 + 3?"]


def imported(tool: str, out: Path) -> RunDir:
    list(import_files([FOREIGN / tool], out, options=ImportOptions()))
    return RunDir(out)


def the(pattern: str) -> Path:
    (path,) = FOREIGN.glob(pattern)
    return path


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FOREIGN.rglob("*")) if path.is_file() and path.suffix != ".md"],
    ids=lambda p: p.name,
)
def test_each_is_recognised_as_its_tools(path: Path) -> None:
    tool = path.relative_to(FOREIGN).parts[0]
    assert read_file(path)[0].name == tool
    assert read_file(path, named=tool)[0].name == tool


def scores_of(run: RunDir) -> dict[str, float]:
    return {one.benchmark: one.result().summary.avg_at_n for one in run.evaluations() if one.result() is not None}  # type: ignore[union-attr]


def test_inspect(tmp_path: Path) -> None:
    samples = samples_of(FOREIGN / "inspect/sums.eval", "inspect")
    rows = [(one.problem_id, one.sample_index, one.completion, one.verdict, one.stop_reason) for one in samples]
    assert sorted(rows) == [
        ("sum-1", 0, "It is 2", "correct", "stop"),
        ("sum-1", 1, "Hmm, 2 or", "correct", "stop"),
        ("sum-2", 0, "4", "correct", "stop"),
        ("sum-2", 1, "ANSWER: 4", "correct", "length"),
        ("sum-3", 0, "7", "wrong", "stop"),
        ("sum-3", 1, "6", "correct", "stop"),
    ]
    assert {one.num_tokens for one in samples if one.problem_id == "sum-1"} == {3}
    assert [one.extra["reasoning"] for one in samples if "reasoning" in one.extra] == ["Two and two."]
    as_zip, as_json = (samples_of(FOREIGN / f"inspect/letters{end}", "inspect") for end in (".eval", ".json"))
    assert [(one.completion, one.gold, one.verdict) for one in as_zip] == [
        ("ANSWER: B", "B", "correct"),
        ("ANSWER: A", "B", "wrong"),
    ]
    assert [one.completion for one in as_json] == [one.completion for one in as_zip]


def test_lm_eval(tmp_path: Path) -> None:
    run = imported("lm-eval", tmp_path / "run")
    results = json.loads(the("lm-eval/results_*.json").read_text())["results"]["made_sums"]
    (once, twice) = run.evaluations()
    assert scores_of(run) == {"made_sums": results["exact_match,strict-match"]}
    summary = once.result().summary  # type: ignore[union-attr]
    assert summary.accuracy_second_extractor == results["exact_match,flexible-extract"]
    rows = once.read(["question", "completion", "gold", "extracted", "second_extracted"]).to_pylist()
    assert [row["question"] for row in rows] == SUMS
    assert rows[1] == {
        "question": SUMS[1],
        "completion": "#### 5, or 4",
        "gold": "4",
        "extracted": "5",
        "second_extracted": "4",
    }
    assert [row["completion"] for row in twice.read().to_pylist()][:2] == ["It is 2", r"1 + 1 is 2.\n#### 2"]


def test_log_likelihoods_of_lm_eval_are_no_texts() -> None:
    """Version 0.4 writes them as text: ["-2.0", "False"]."""
    contents = read_file(the("lm-eval/samples_made_letters_*"))[1]
    assert (contents.kind, contents.instead) == ("nothing", "results_*.json beside it, which has the scores")


def test_lighteval(tmp_path: Path) -> None:
    run = imported("lighteval", tmp_path / "run")
    assert {one.benchmark: one.read().num_rows for one in run.evaluations()} == {"made_sums": 3, "made_sums_n": 9}
    assert scores_of(run) == {"made_sums": 1.0}
    rows = {row["question"]: row for row in run.evaluations()[0].read().to_pylist()}
    row = rows[SUMS[1]]
    assert (row["completion"], row["gold"], row["num_tokens"]) == ("Four, so 4", "4", 3)
    contents = read_file(the("lighteval/results_*.json"))[1]
    assert [(one.benchmark, one.metric) for one in contents.scores] == [
        ("made_letters", "acc"),
        ("made_sums", "extractive_match"),
        ("made_sums_n", "avg@n:n=3"),
    ]


def test_evalscope(tmp_path: Path) -> None:
    run = imported("evalscope", tmp_path / "run")
    assert scores_of(run) == {"gsm8k_default": pytest.approx(2 / 3), "general_mcq_made": 0.75}
    reports = [read_file(path)[1] for path in sorted((FOREIGN / "evalscope/reports/scripted").iterdir())]
    assert [score.value for one in reports for score in one.scores] == [0.75, 0.6667]
    assert {one.result().model for one in run.evaluations()} == {"scripted"}  # type: ignore[union-attr]
    samples = samples_of(FOREIGN / "evalscope/predictions/scripted/general_mcq_made.jsonl", "evalscope")
    assert [(one.problem_id, one.sample_index) for one in samples] == [("0", 0), ("0", 1), ("2", 0), ("2", 1)]
    assert [one.num_tokens for one in samples] == [5, 2, 2, 2]
    assert samples[2].completion == "ANSWER: C"


def test_trl(tmp_path: Path) -> None:
    run = imported("trl", tmp_path / "run")
    assert [step for step, _ in run.sampled_steps()] == [3, 4]
    exact = json.loads((FOREIGN / "trl/checkpoint-4/trainer_state.json").read_text())["log_history"]
    rows = run.metrics()[0]
    logged: list[dict[str, Any]] = [entry for entry in exact if "reward" in entry]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] == [entry["step"] for entry in logged]
    for row, entry in zip(rows, logged, strict=True):
        assert row["reward/mean"] == entry["reward"], "the state's digits, not the console's four"
        assert row["response/length_mean"] == entry["completions/mean_length"]
    rollouts = run.rollouts(4).read().to_pylist()
    assert {(row["question"], row["gold"]) for row in rollouts} == {(SUMS[2], "6")}
    mean = sum(row["verdict"] == "correct" for row in rollouts) / len(rollouts)
    assert mean == logged[-1]["rewards/accuracy_reward/mean"]


def test_trls_console_alone_has_the_same_steps(tmp_path: Path) -> None:
    list(import_files([FOREIGN / "trl/console.log"], tmp_path / "run", options=ImportOptions()))
    exact = json.loads((FOREIGN / "trl/checkpoint-4/trainer_state.json").read_text())["log_history"]
    rows = RunDir(tmp_path / "run").metrics()[0]
    assert [row["reward/mean"] for row in rows] == [pytest.approx(one["reward"], rel=1e-3) for one in exact]


def test_tensorboard(tmp_path: Path) -> None:
    rows = imported("tensorboard", tmp_path / "run").metrics()[0]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[2] == {
        "step": 3,
        "reward/mean": pytest.approx(0.3),
        "policy/loss": pytest.approx(0.5 / 3),
        "response/length_mean": 103.0,
        "x/double": 1 / 3,
    }
