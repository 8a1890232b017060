"""What is exported comes back through the importer of its format, with everything that the format can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import orz_bench
from orz_bench.errors import ConfigError, RunDirError
from orz_bench.exchange.export.inspect import write_inspect
from orz_bench.exchange.export.lm_eval import write_lm_eval
from orz_bench.exchange.export.selection import chosen, new_folder
from orz_bench.exchange.export.tables import write_dataset, write_jsonl
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.run_dir import RunDir
from tests.support.builders import a_rollout
from tests.support.foreign_files import lines
from tests.support.golden_files import GOLDEN

ALWAYS = ("benchmark", "problem_id", "sample_index", "step", "gold", "completion")
JUDGED = ("question", "prompt", "verdict", "extracted", "num_tokens", "why", "second_verdict", "grader_version", "seed")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "run"
    orz_bench.evaluate("fake:0.5", engine="fake", benchmarks=["arithmetic"], limit=5, n=3, out=path)
    return path


def rows_of(run: Path, *, rollouts: bool = False) -> list[dict[str, Any]]:
    return [row for one in chosen(run, rollouts=rollouts) for row in one.rows()]


def back(files: list[Path], out: Path) -> Path:
    list(import_files(files, out, options=ImportOptions()))
    return out


def same(first: list[dict[str, Any]], second: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    assert [{name: row[name] for name in columns} for row in first] == [
        {name: row[name] for name in columns} for row in second
    ]


def test_json_lines_lose_nothing(run: Path, tmp_path: Path) -> None:
    again = back(write_jsonl(chosen(run), new_folder(tmp_path / "out")), tmp_path / "back")
    found, wanted = rows_of(again), rows_of(run)
    same(found, wanted, tuple(name for name in wanted[0] if name != "extra"))
    assert all(before["extra"].items() <= after["extra"].items() for before, after in zip(wanted, found, strict=True))
    (result,), (before,) = RunDir(again).results(), RunDir(run).results()
    assert result.summary.avg_at_n == pytest.approx(before.summary.avg_at_n)


def test_rollouts_of_training_lose_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    tokens: dict[str, Any] = {"token_ids": (1, 2), "logprobs": (-0.5, -0.25), "num_tokens": 2, "advantage": 0.5}
    folder = run.rollouts(4)
    with folder.lock():
        folder.append([a_rollout(sample_index=n, step=4, reward=1.0, policy_version=3, **tokens) for n in range(3)])
    files = write_jsonl(chosen(run.path, rollouts=True), new_folder(tmp_path / "out"))
    again = back(files, tmp_path / "back")
    found, wanted = rows_of(again, rollouts=True), rows_of(run.path, rollouts=True)
    same(found, wanted, tuple(name for name in wanted[0] if name != "extra"))


def test_inspect_keeps_verdicts_and_what_it_has_no_field_for(run: Path, tmp_path: Path) -> None:
    (path,) = write_inspect(chosen(run), new_folder(tmp_path / "out"))
    log = json.loads(path.read_text(encoding="utf-8"))
    assert log["eval"]["config"]["epochs"] == 3
    assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == RunDir(run).results()[0].summary.avg_at_n
    again = back([path], tmp_path / "back")
    same(rows_of(again), rows_of(run), (*ALWAYS, *JUDGED))


def test_lm_eval_has_the_score_and_its_own_fields(run: Path, tmp_path: Path) -> None:
    (path, results_path) = write_lm_eval(chosen(run), new_folder(tmp_path / "out"))
    again = back([path], tmp_path / "back")
    same(rows_of(again), rows_of(run), (*ALWAYS, *JUDGED))
    results = json.loads(results_path.read_text(encoding="utf-8"))["results"]
    assert results["arithmetic"]["exact_match,none"] == RunDir(run).results()[0].summary.avg_at_n
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        del row["doc"]["orz"]
    lines(tmp_path / path.name, rows)
    theirs = rows_of(back([tmp_path / path.name], tmp_path / "theirs"))
    same(theirs, rows_of(run), ALWAYS)
    assert {row["verdict"] for row in theirs} == {None}, "lm-eval itself has one figure for all repeats"


WRITERS = {"jsonl": write_jsonl, "datasets": write_dataset, "inspect": write_inspect, "lm-eval": write_lm_eval}
TOKENS = ("token_ids", "prompt_token_ids", "logprobs", "values")
SOURCES = ["inspect/sums.eval", "lm-eval", "lighteval", "evalscope", "trl", "ours", "training", "failed", "bare"]


def source(name: str, run: Path, folder: Path) -> tuple[Path, bool]:
    """(a run, whether its rollouts of training are meant): of the tools' own files, of ours, and of odd rows."""
    if name == "ours":
        return run, False
    rows: dict[str, list[dict[str, Any]]] = {
        "failed": [{"question": "q", "response": None}, {"question": "r", "response": ""}],
        "bare": [{"response": "x"}, {"response": "y", "id": "b", "step": 3, "sample": 4}],
        "training": [{"question": "q", "gold": "1", "response": text, "reward": 0.5, "step": 7} for text in "ab"],
    }
    path = lines(folder / f"{name}.jsonl", rows[name]) if name in rows else GOLDEN / "foreign" / name
    return back([path], folder / "run"), name in ("trl", "training")


def _facts(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(name, json.dumps(value)) for name, value in row["extra"].items() if not name.startswith("imported_")}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("form", WRITERS)
def test_what_goes_out_comes_back(run: Path, tmp_path: Path, name: str, form: str) -> None:
    whole, trains = source(name, run, tmp_path)
    WRITERS[form](chosen(whole, rollouts=trains), new_folder(tmp_path / "out"))
    again = back([tmp_path / "out"], tmp_path / "back")
    found, wanted = rows_of(again, rollouts=trains), rows_of(whole, rollouts=trains)
    left_out = {"extra"} if form in ("jsonl", "datasets") else {"extra", *TOKENS}
    same(found, wanted, tuple(column for column in wanted[0] if column not in left_out))
    if form != "lm-eval":
        assert all(_facts(before) <= _facts(after) for before, after in zip(wanted, found, strict=True))
    scores = [{one.benchmark: one.summary.avg_at_n for one in RunDir(path).results()} for path in (whole, again)]
    assert scores[0] == pytest.approx(scores[1])


def test_a_row_keeps_its_first_origin(tmp_path: Path) -> None:
    first = back([lines(tmp_path / "a.jsonl", [{"question": "q", "response": "x"}])], tmp_path / "run")
    write_jsonl(chosen(first), new_folder(tmp_path / "out"))
    (row,) = rows_of(back([tmp_path / "out"], tmp_path / "back"))
    assert row["extra"]["imported_from"].startswith("out/a-step000000-imported.jsonl ")
    assert row["extra"]["imported_before"]["imported_from"].startswith("a.jsonl ")


@pytest.mark.slow
def test_a_dataset_is_loaded_by_datasets(run: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    write_dataset(chosen(run), new_folder(tmp_path / "out"))
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"arithmetic": 15}
    assert sorted(loaded["arithmetic"]["completion"]) == sorted(row["completion"] for row in rows_of(run))


def test_what_is_not_there_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nothing to export for that choice; it has arithmetic at step 0 \(--rollouts"
    ):
        chosen(run, benchmarks=("aime24",))
    with pytest.raises(ConfigError, match="it has nothing"):
        chosen(run, rollouts=True)
    with pytest.raises(RunDirError):
        chosen(tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(RunDirError, match="not empty; choose a new folder"):
        new_folder(tmp_path / "used")
