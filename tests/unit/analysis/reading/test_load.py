from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.reading.load import Run, load_path, load_runs, load_small_files
from orz_bench.errors import DataError, RunDirError
from orz_bench.records.parquet import ROLLOUT_SCHEMA, ROLLOUT_SCHEMA_VERSION
from orz_bench.records.run_dir import RunDir
from tests.support.golden_files import GOLDEN
from tests.support.runs import a_run, add_evaluation, some_rollouts
from tests.support.shared_data import shared_data


def _only(path: Path) -> Run:
    (run,) = load_path(path)
    return run


def _batches(run: Run, rows: int = 10) -> pd.DataFrame:
    assert run.rollouts is not None
    return pd.concat(run.rollouts.batches(rows))


def test_a_run_is_named_with_what_controlled_its_reward(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=1, changes={"reward.control": "flip:0.1"})
    a_run(tmp_path / "y", num_steps=1, changes={"reward.control": "none"})
    assert [_only(tmp_path / name).name for name in "xy"] == ["x (reward: flip:0.1)", "y"]


def test_a_training_run(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=3)
    run = _only(tmp_path / "x")
    assert (run.name, run.kind, run.state, run.seed) == ("x", "train", "done", 42)
    assert run.notes == ()
    assert run.warnings == ((2, "responses are cut"),)
    assert list(run.metrics["step"]) == [1, 2, 3]
    assert [(e.benchmark, e.step) for e in run.evaluations] == [("arithmetic", 0), ("arithmetic", 3)]
    assert len(run.results) == 2
    assert run.config["advantage"]["lam"] == 1.0
    rows = [row for step in (1, 2, 3) for row in some_rollouts(step, seed=42)]
    frame = _batches(run)
    assert list(frame.index) == list(range(48))
    for name in ("step", "problem_id", "sample_index", "completion", "num_tokens", "stop_reason", "verdict", "reward"):
        assert list(frame[name]) == [getattr(row, name) for row in rows], name
    assert list(frame["extracted"].isna()) == [row.extracted is None for row in rows]


def test_batches_are_of_the_size_asked_for(tmp_path: Path) -> None:
    run = _only(a_run(tmp_path / "x", num_steps=2).path)
    assert run.rollouts is not None
    assert [len(batch) for batch in run.rollouts.batches(3)] == [3] * 10 + [2]
    assert [len(batch) for batch in run.rollouts.batches(100)] == [32]


def test_numbers_have_no_texts_and_agree_with_the_batches(tmp_path: Path) -> None:
    run = _only(a_run(tmp_path / "x", num_steps=2).path)
    assert run.rollouts is not None
    numbers = run.rollouts.numbers()
    names = ["step", "benchmark", "problem_id", "sample_index", "num_tokens", "stop_reason", "verdict", "reward"]
    assert list(numbers) == names
    assert numbers["verdict"].dtype == "category"
    assert numbers["step"].dtype == "int64"
    assert numbers.astype(object).equals(_batches(run)[names].astype(object))


def test_an_evaluation_has_no_reward(tmp_path: Path) -> None:
    run = _only(a_run(tmp_path / "x").path)
    numbers = run.evaluations[0].samples.numbers()
    assert "reward" not in numbers
    assert len(numbers) == 40


def test_a_growing_run(tmp_path: Path) -> None:
    """No mark, a torn line, a part under its temporary name, a part that was cut, an evaluation under way."""
    run = a_run(tmp_path / "x", num_steps=2)
    run.mark("")
    whole = run.metrics_path.read_text()
    run.metrics_path.write_text(whole + '{"step": 3, "reward/m')
    folder = run.rollouts(2).path
    (folder / ".part-000009.parquet.tmp").write_bytes(b"PAR1")
    cut = folder / "part-000001.parquet"
    cut.write_bytes(cut.read_bytes()[:500])
    add_evaluation(run, step=1)
    run.evaluation(benchmark="arithmetic", step=1, fingerprint="0123456789ab").summary_path.unlink()
    loaded = _only(run.path)
    assert loaded.state == "open"
    assert list(loaded.metrics["step"]) == [1, 2]
    assert len(_batches(loaded)) == 24
    assert [len(loaded.evaluations), len(loaded.results)] == [3, 2]
    text = "; ".join(loaded.notes)
    for note in ("1 incomplete line of metrics.jsonl", "1 damaged part", "part-000001.parquet", "has not finished"):
        assert note in text


def test_a_warning_is_one_line_of_events_whatever_its_text(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.events_path.unlink()
    run.add_event("warning", step=3, text="a\u2028b")
    with run.events_path.open("a") as file:
        file.write('{"event": "warning", "step": null, "text": "no step"}\n{"event": "warni')
    assert load_path(run.path)[0].warnings == ((3, "a\u2028b"), (0, "no step"))


def test_small_files_alone_give_the_same_run_without_rollouts(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=2)
    whole, small = load_path(run.path)[0], load_small_files(run.path)
    assert small.rollouts is None
    assert [len(one.samples.numbers()) for one in small.evaluations] == [0, 0]
    assert small.results == whole.results
    for name in ("name", "kind", "state", "seed", "config", "warnings", "notes"):
        assert getattr(small, name) == getattr(whole, name), name
    assert small.metrics.equals(whole.metrics)


def test_a_folder_without_a_step_number_is_not_a_fault(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    (folder,) = (run.path / "evals").glob("arithmetic/step=000001")
    folder.rename(folder.with_name("step=last"))
    assert sorted(one.step for one in load_path(run.path)[0].evaluations) == [0, 0]


def test_a_run_with_nothing_yet(tmp_path: Path) -> None:
    RunDir(tmp_path / "x").create(kind="train", command=[], seed=1, environment={})
    run = _only(tmp_path / "x")
    assert (run.rollouts, run.evaluations, len(run.metrics)) == (None, (), 0)


def test_a_part_of_a_newer_schema_is_not_skipped_as_damaged(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    newer = ROLLOUT_SCHEMA.with_metadata({b"orz_rollout_schema": str(ROLLOUT_SCHEMA_VERSION + 1)})
    pq.write_table(newer.empty_table(), run.rollouts(1).path / "part-000007.parquet")
    with pytest.raises(RunDirError, match="upgrade"):
        load_path(run.path)


def test_a_run_of_schema_1() -> None:
    run = _only(GOLDEN / "run_v1")
    assert run.kind == "eval"
    assert run.rollouts is None
    (evaluation,) = run.evaluations
    assert len(evaluation.samples.numbers()) == 20


def test_the_later_row_of_a_step_counts(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.metrics_path.write_text(
        '{"step": 2, "reward/mean": 1}\n{"step": 1, "reward/mean": 2}\n{"step": 2, "reward/mean": 3}\n'
    )
    assert _only(run.path).metrics["reward/mean"].to_list() == [2, 3]


def _write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_json_lines_of_others(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"problem": "1+1?", "answer": "2", "response": "wait, \ud800 2", "is_match": True, "score": 1.0},
        {"problem": "1+1?", "answer": "2", "response": "3", "is_match": False, "score": 0.0},
    ]
    path = _write_lines(tmp_path / "them.jsonl", rows)
    path.write_text(path.read_text() + '{"problem": "torn')
    frame = _batches(_only(path))
    assert list(frame["verdict"]) == ["correct", "wrong"]
    assert list(frame["reward"]) == [1.0, 0.0]
    assert frame["completion"][0] == "wait, ? 2"
    assert frame["problem_id"].nunique() == 1
    assert "num_tokens" not in frame


def test_what_is_neither_a_folder_nor_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(DataError, match="neither a folder nor a regular file"):
        load_path(tmp_path / "pipe.jsonl")
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\); name a run directory"):
        load_path(tmp_path / ("x" * 300))


def test_runs_in_one_file_are_separated(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"run": name, "index": i, "response": name} for i in range(3) for name in "ab"]
    runs = load_path(_write_lines(tmp_path / "them.jsonl", rows))
    assert [run.name for run in runs] == ["a", "b"]
    assert [list(_batches(run)["completion"]) for run in runs] == [["a"] * 3, ["b"] * 3]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_other_formats(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"index": [0, 1], "response": ["a\nb", "c"], "correct": [True, False], "step": [3, 3]})
    path = tmp_path / f"them.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), path)
    else:
        path.write_text(frame.to_json(orient="records"))
    loaded = _batches(_only(path))
    assert list(loaded["completion"]) == ["a\nb", "c"]
    assert list(loaded["verdict"]) == ["correct", "wrong"]
    assert list(loaded["step"]) == [3, 3]
    assert loaded["step"].dtype == "int64"


def test_dumps_of_open_reasoner_zero(tmp_path: Path) -> None:
    output = {
        "response": "wait, 2",
        "iscorrect": True,
        "stop_reason": "length",
        "final_answer": "2",
        "repeat_score": 0.1,
    }
    rows = [{"prompt": "What?", "score": 1.0, "outputs": output}] * 2
    for step in (10, 2):
        (tmp_path / f"iter{step}_generation_results.json").write_text(json.dumps(rows))
    answer = {"prompt": "Q", "output": "a", "final_answer": "3", "answer": "2", "iscorrect": False}
    _write_lines(tmp_path / "eval_output_iter10_math5000.7520.jsonl", [answer])
    run = _only(tmp_path)
    assert run.kind == "dump"
    frame = _batches(run)
    assert list(frame["step"]) == [2, 2, 10, 10]
    assert set(frame["verdict"]) == {"correct"}
    assert set(frame["extracted"]) == {"2"}
    (evaluation,) = run.evaluations
    assert (evaluation.benchmark, evaluation.step) == ("math500", 10)
    (batch,) = evaluation.samples.batches()
    assert [batch[name][0] for name in ("gold", "extracted", "verdict")] == ["2", "3", "wrong"]


def test_curves_wide_and_long(tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    wide.write_text("step,reward,avg_response_length,note\n1,0.5,10,a\n0,0.25,8,b\n")
    long = tmp_path / "long.csv"
    long.write_text("step,metric,y\n1,reward,0.5\n0,reward,0.25\n1,response_length,10\n0,response_length,8\n")
    first, second = _only(wide).metrics, _only(long).metrics
    assert first["reward/mean"].to_list() == [0.25, 0.5]
    pd.testing.assert_frame_equal(first.sort_index(axis=1), second.sort_index(axis=1))


def test_names_differ(tmp_path: Path) -> None:
    for parent in "ab":
        a_run(tmp_path / parent / "x", num_steps=1)
    paths = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "b" / "x"]
    assert [run.name for run in load_runs(paths)] == ["a/x", "b/x (1)", "b/x (2)"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", "[1]\n{}\n", "wanted an object"),
        ("x.jsonl", "", "no rows"),
        ("x.csv", "a,b\n1,2\n", "found the fields a, b: neither responses"),
        ("x.json", "[1, 2]", "array of objects"),
        ("x.parquet", "no parquet", "cannot be read"),
        ("x.txt", "a", "found lines of text"),
    ],
)
def test_files_that_are_not_runs_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        load_path(tmp_path / name)


def test_folders_that_are_not_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no run\.json"):
        load_path(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        load_path(tmp_path / "absent")


def test_real_files_of_others() -> None:
    folder = shared_data()
    files = sorted((folder / "rollouts").glob("*.jsonl"))
    assert len(files) == 9
    runs = {path.stem: load_path(path) for path in files}
    assert len(runs["cognitive_behaviors_qwen_curve"]) == 10
    assert all(len(run.metrics) for run in runs["open_rs_eval_by_step"])
    math = runs["orz_fork_eval_math500"]
    assert sum(len(run.rollouts.numbers()) for run in math if run.rollouts) == 3000
    (paper,) = load_path(folder / "curves" / "orz_7b_train_per_step.csv")
    assert list(paper.metrics) == ["step", "reflection/correct_length_mean", "response/length_mean", "reward/mean"]
    assert len(paper.metrics) == 731
