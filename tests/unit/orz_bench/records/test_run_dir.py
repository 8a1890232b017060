"""The run directory: names, locks, versions, whole files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import RunDir, read_json, step_folder, step_of, to_json, write_text
from tests.support.builders import a_result, a_rollout


def test_step_folders_sort_and_parse() -> None:
    assert step_folder(120) == "step=000120"
    assert step_of(Path("x/step=000120")) == 120
    assert step_of(Path("x/step=latest")) is None


def test_create_writes_the_head_and_joining_leaves_it(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=["orz-bench", "eval"], seed=7, environment={"packages": {}})
    run.create(kind="eval", command=["another"], seed=8, environment={})
    info = run.info()
    assert (info["seed"], info["command"], info["kind"]) == (7, ["orz-bench", "eval"], "eval")


def test_a_newer_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(RunDirError, match=r"schema 99.*upgrade"):
        RunDir(tmp_path).info()


def test_the_schema_is_the_first_and_the_next_is_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.create(kind="eval", command=[], seed=0, environment={})
    assert run.info()["schema_version"] == 1
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 2, "kind": "eval"}))
    with pytest.raises(RunDirError, match="schema 2, but this version reads up to 1"):
        run.info()


def test_a_folder_without_run_json_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="not a run directory"):
        RunDir(tmp_path).info()


def test_broken_json_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunDirError, match="not readable as JSON"):
        RunDir(tmp_path).info()


def test_samples_and_results_come_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    evaluation = run.evaluation(benchmark="aime24", step=5, fingerprint="abc")
    with evaluation.lock():
        evaluation.append([a_rollout(sample_index=0), a_rollout(sample_index=1)])
        evaluation.protocol_path.write_text("{}")
        evaluation.write_result(a_result())
    assert evaluation.keys() == {("p0", 0), ("p0", 1)}
    assert run.results() == [a_result()]
    assert (tmp_path / "evals/aime24/step=000005/abc/part-000000.parquet").exists()


def test_an_evaluation_names_its_benchmark_step_and_protocol(tmp_path: Path) -> None:
    folder = RunDir(tmp_path).evaluation(benchmark="math500", step=120, fingerprint="f0")
    assert (folder.benchmark, folder.step, folder.fingerprint) == ("math500", 120, "f0")
    assert folder.under("f1") == RunDir(tmp_path).evaluation(benchmark="math500", step=120, fingerprint="f1")


def test_only_finished_evaluations_have_results(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in (9, 8, 10):
        evaluation = run.evaluation(benchmark="aime24", step=step, fingerprint="abc")
        evaluation.path.mkdir(parents=True)
        evaluation.protocol_path.write_text(json.dumps({"regraded_from": f"at {step}"}))
        if step != 9:
            evaluation.write_result(a_result())
    assert [step_of(evaluation.path.parent) for evaluation in run.evaluations()] == [8, 9, 10]
    assert [result.regraded_from for result in run.results()] == ["at 8", "at 10"]
    assert run.evaluations()[1].result() is None


def test_json_for_people_keeps_letters_and_ends_its_line() -> None:
    assert to_json({"who": "Zoë"}) == '{\n  "who": "Zoë"\n}\n'


def test_rollouts_of_training_are_found_by_step(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in (20, 3):
        with run.rollouts(step).lock():
            run.rollouts(step).append([a_rollout(step=step)])
    (tmp_path / "rollouts" / "step=latest").mkdir()
    assert run.rollouts(3).path == tmp_path / "rollouts" / "step=000003"
    assert [(step, len(rollouts.keys())) for step, rollouts in run.sampled_steps()] == [(3, 1), (20, 1)]


def test_foreign_and_repeated_rows_are_refused_and_own_ones_are_not(tmp_path: Path) -> None:
    evaluation = RunDir(tmp_path).evaluation(benchmark="arithmetic", step=0, fingerprint="f")
    row = a_rollout(sample_index=0)

    def require(**changes: object) -> None:
        facts = {
            "benchmark": row.benchmark,
            "step": row.step,
            "seed_of": lambda _, index: row.seed if index < 2 else None,
        }
        evaluation.require_own(**(facts | changes))  # type: ignore[arg-type]  # some facts on purpose of another run

    with evaluation.lock():
        evaluation.append([row])
        evaluation.append([replace(row, sample_index=1)])
        require()
        for changes in ({"benchmark": "another"}, {"step": row.step + 1}, {"seed_of": lambda *_: None}):
            with pytest.raises(RunDirError, match="is not of this evaluation"):
                require(**changes)
        evaluation.append([row])
        with pytest.raises(RunDirError, match=r"part-000002.*sample 0 of p0 is also in part-000000"):
            require()


def test_the_files_of_a_run_have_fixed_names(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.create(kind="eval", command=[], seed=0, environment={})
    run.write_config("seed: 1\n")
    run.add_event("begun")
    run.append_metrics({"step": 1})
    names = {"run.json", "config.yaml", "events.jsonl", "metrics.jsonl"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "config.yaml").read_text() == "seed: 1\n"


def test_rows_of_metrics_are_counted_without_the_torn_ones(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_metrics([{"step": 1}, {"step": 2}])
    run.append_metrics({"step": 3})
    run.append_metrics({"reward": 0.5})
    with run.metrics_path.open("a") as file:
        file.write('{"step": 4')
    assert run.metrics() == ([{"step": 1}, {"step": 2}, {"step": 3}], 2)


def test_a_second_process_cannot_write_the_same_evaluation(tmp_path: Path) -> None:
    evaluation = RunDir(tmp_path).evaluation(benchmark="b", step=0, fingerprint="f")
    code = (
        "import sys; from pathlib import Path; from orz_bench.records.run_dir import EvaluationDir\n"
        "from orz_bench.errors import RunDirError\n"
        "try:\n    EvaluationDir(Path(sys.argv[1])).lock().__enter__()\n"
        "except RunDirError as error:\n    print(error)\n"
    )
    with evaluation.lock():
        done = subprocess.run(
            [sys.executable, "-c", code, str(evaluation.path)], capture_output=True, text=True, check=True
        )
    assert "another process writes here" in done.stdout
    with evaluation.lock():
        pass


def test_locking_clears_what_a_killed_writer_left(tmp_path: Path) -> None:
    evaluation = RunDir(tmp_path).evaluation(benchmark="b", step=0, fingerprint="f")
    with evaluation.lock():
        (evaluation.path / ".part-000000.parquet.tmp").write_bytes(b"half")
    with evaluation.lock():
        assert not list(evaluation.path.glob(".part-*"))


def test_marks_exclude_each_other(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.mark("FAILED", "because")
    run.mark("DONE")
    assert not (tmp_path / "FAILED").exists()
    assert (tmp_path / "DONE").exists()
    run.mark("")
    assert not (tmp_path / "DONE").exists()


def test_events_append(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.add_event("a", x=1)
    run.add_event("b")
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["a", "b"]
    assert events[0]["x"] == 1


@pytest.mark.parametrize("torn", ['{"time": "x", "event": "half', '{"event": "a", "x": {}', "\x00\x00", "[1]"])
def test_a_torn_line_of_events_swallows_no_other(tmp_path: Path, torn: str) -> None:
    run = RunDir(tmp_path)
    run.add_event("before")
    with run.events_path.open("a") as file:
        file.write(torn)
    run.add_event("after", text="half \ud83d")
    run.add_event("last")
    assert [event["event"] for event in run.events()] == ["before", "after", "last"]
    assert run.events("after")[0]["text"] == "half \ud83d"
    assert run.events_path.read_text("utf-8").splitlines()[1] == torn


def test_texts_with_half_characters_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_text(path, to_json({"name": "half \ud83d, whole \U0001f600"}))
    assert read_json(path) == {"name": "half \ud83d, whole \U0001f600"}


def test_only_one_process_owns_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    with run.lock():
        with run.owned() as is_owner:
            assert not is_owner
        with pytest.raises(RunDirError, match="another process is at work in this run"), run.lock():
            pass
        assert [path.name for path in run.path.iterdir()] == [".lock"]
    with run.owned() as is_owner:
        assert is_owner


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RunDirError("the disk"), "the disk"),
        (KeyboardInterrupt(), "stopped by the user"),
        (ValueError("a bug"), "ValueError: a bug"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_however_it_ends_it_is_marked_once(tmp_path: Path, error: BaseException, text: str) -> None:
    run = RunDir(tmp_path)

    def work() -> None:
        with run.marks_failure("stopped"), run.marks_failure("stopped"):
            run.mark("")
            raise error

    with pytest.raises(type(error)):
        work()
    assert (tmp_path / "FAILED").read_text() == text + "\n"
    assert [event["text"] for event in run.events("stopped")] == [text]
    assert not (tmp_path / ".reserve").exists()


def test_nothing_is_marked_if_nothing_fails(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.marks_failure("stopped"):
        assert (tmp_path / ".reserve").stat().st_size == 65_536
        run.mark("DONE")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["DONE"]


def test_a_reserve_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.marks_failure("stopped"):
        (tmp_path / ".reserve").unlink()
    assert run.state() == "open"


def test_an_inner_context_keeps_the_reserve_of_the_outer_one(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.marks_failure("stopped"):
        with run.marks_failure("stopped", is_inner=True):
            pass
        assert (tmp_path / ".reserve").exists()


def test_a_writer_marks_what_it_did(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.mark("FAILED", "earlier")
    with run.writing(stopped_event="stopped", done="12 steps"):
        assert run.state() == "open"
    assert (run.state(), (tmp_path / "DONE").read_text()) == ("done", "12 steps\n")


def test_a_checkpoint_of_training_without_a_manifest_is_not_whole(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in (3, 20):
        (tmp_path / "checkpoints" / step_folder(step) / "policy").mkdir(parents=True)
    (tmp_path / "checkpoints" / step_folder(3) / "manifest.json").write_text("{}")
    run.create(kind="train", command=[], seed=0, environment={"run_id": "r"})
    assert run.checkpoints() == [(3, tmp_path / "checkpoints" / "step=000003" / "policy")]


def test_checkpoints_are_found_by_step(tmp_path: Path) -> None:
    for step in (20, 3):
        (tmp_path / "checkpoints" / step_folder(step) / "policy").mkdir(parents=True)
    (tmp_path / "checkpoints" / step_folder(30) / "critic").mkdir(parents=True)
    assert [step for step, _ in RunDir(tmp_path).checkpoints()] == [3, 20]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "kind": 3}'])
def test_a_torn_or_foreign_run_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirError, match=str(tmp_path)):
        RunDir(tmp_path).info()
