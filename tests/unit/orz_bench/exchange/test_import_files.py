from __future__ import annotations

import contextlib
import csv
import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.reading.load import load_path
from orz_bench.errors import DataError, RunDirError
from orz_bench.exchange import import_samples
from orz_bench.exchange.import_files import ImportedFile, ImportOptions, import_files
from orz_bench.exchange.import_samples import question_in
from orz_bench.records import foreign
from orz_bench.records.parquet import write_table
from orz_bench.records.run_dir import RunDir
from tests.support.command_line import orz_bench

ANSWER = {"prompt": "What is 1 + 1?", "output": "2 </think>", "final_answer": "2", "answer": "2", "iscorrect": True}
DUMPED = {
    "prompt": "What is 2 + 2?",
    "score": 1.0,
    "outputs": {"response": "4 </think>", "iscorrect": False, "stop_reason": "length", "final_answer": "4"},
}


def _lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _import(paths: Sequence[Path], out: Path, **options: Any) -> list[ImportedFile]:
    return list(import_files(paths, out, options=ImportOptions(**options)))


def _rows(run: Path) -> list[dict[str, Any]]:
    directory = RunDir(run)
    folders = [*directory.evaluations(), *(folder for _, folder in directory.sampled_steps())]
    return [row for folder in folders for row in folder.read().to_pylist()]


def test_a_folder_of_dumps(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    (dumps / "iter10_generation_results.json").write_text(json.dumps([DUMPED, DUMPED]), encoding="utf-8")
    _lines(dumps / "eval_output_iter10_math5000.7520.jsonl", [ANSWER, ANSWER | {"iscorrect": False}])
    done = _import([dumps], tmp_path / "run")
    assert [one.targets for one in done] == [("evals/math500/step=000010/imported",), ("rollouts/step=000010",)]
    evaluated, _, sampled, _ = _rows(tmp_path / "run")
    assert (evaluated["benchmark"], evaluated["step"], evaluated["verdict"]) == ("math500", 10, "correct")
    assert (evaluated["prompt"], evaluated["completion"], evaluated["extracted"]) == (
        "What is 1 + 1?",
        "2 </think>",
        "2",
    )
    assert (sampled["reward"], sampled["verdict"], sampled["stop_reason"]) == (1.0, "wrong", "length")
    unknown = (
        "seed",
        "num_tokens",
        "why",
        "second_extractor",
        "second_verdict",
        "advantage",
        "grader_version",
        "token_ids",
    )
    assert {name: evaluated[name] for name in unknown} == dict.fromkeys(unknown)
    assert RunDir(tmp_path / "run").info()["seed"] is None


def test_samples_of_one_question_are_told_apart(tmp_path: Path) -> None:
    _import([_lines(tmp_path / "a.jsonl", [ANSWER, ANSWER | {"prompt": "other"}, ANSWER])], tmp_path / "run")
    rows = _rows(tmp_path / "run")
    assert [row["sample_index"] for row in rows] == [0, 0, 1]
    assert rows[0]["problem_id"] == rows[2]["problem_id"] != rows[1]["problem_id"]
    assert {row["benchmark"] for row in rows} == {"a"}


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("A conversation. User: This is the problem:\nWhat is 1?\nHow?\nAssistant: <think>", "What is 1?\nHow?"),
        ("This is the problem:\nWhat is 1?\nAssistant: I see", "This is the problem:\nWhat is 1?\nAssistant: I see"),
        ("What is 1?", "What is 1?"),
        (None, None),
    ],
)
def test_the_question_in_a_template(prompt: str | None, question: str | None) -> None:
    assert question_in(prompt) == question


def test_a_second_file_adds_samples(tmp_path: Path) -> None:
    files = [_lines(tmp_path / f"{n}.jsonl", [ANSWER | {"output": f"{n}"}] * 2) for n in "ab"]
    _import(files, tmp_path / "run", benchmark="sums")
    assert [(row["completion"], row["sample_index"]) for row in _rows(tmp_path / "run")] == [
        ("a", 0), ("a", 1), ("b", 2), ("b", 3),
    ]  # fmt: skip


def test_the_same_import_again_writes_nothing(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [ANSWER] * 5)
    _import([file], tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")}
    (again,) = _import([file], tmp_path / "run")
    assert again.was_there
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")} == before


def test_an_import_into_a_run_that_another_process_owns_changes_nothing(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [ANSWER])
    run = RunDir(tmp_path / "run")
    with run.lock(), pytest.raises(RunDirError, match="another process is at work in this run"):
        _import([file], run.path)
    assert [path.name for path in run.path.iterdir()] == [".lock"]


def test_texts_with_half_characters_are_imported(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [ANSWER | {"output": "half \ud83d", "level": "\ud83d", "id": "\ud83d"}])
    _import([file], tmp_path / "run")
    (row,) = _rows(tmp_path / "run")
    assert row["completion"] == "half ?"


def test_a_stopped_import_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_samples, "PART_ROWS", 2)
    rows = [ANSWER | {"prompt": f"question {n % 3}", "output": str(n)} for n in range(9)]
    file = _lines(tmp_path / "a.jsonl", rows)
    written: list[pa.Table] = []

    def write_three(folder: Path, table: pa.Table) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(table)
        write_table(folder, table)

    with monkeypatch.context() as stopped:
        stopped.setattr(import_samples, "write_table", write_three)
        with pytest.raises(KeyboardInterrupt):
            _import([file], tmp_path / "run")
    assert len(_rows(tmp_path / "run")) == 6
    assert RunDir(tmp_path / "run").state() == "failed"
    whole = tmp_path / "whole"
    for out in (tmp_path / "run", whole):
        _import([file], out)
    assert _rows(tmp_path / "run") == _rows(whole)
    assert RunDir(tmp_path / "run").state() == "done"


def test_a_row_without_a_response_has_no_answer(tmp_path: Path) -> None:
    """As for `orz-bench grade`: one null among thousands does not refuse the file. Missing and empty CSV cells too."""
    rows: list[dict[str, Any]] = [ANSWER, ANSWER | {"output": None, "iscorrect": True}, {"prompt": "q"}, ANSWER]
    with (tmp_path / "b.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["question", "response", "correct"], ["q", "a", "True"], ["r", "", "True"]])
    _import([_lines(tmp_path / "a.jsonl", rows), tmp_path / "b.csv"], tmp_path / "run")
    found = [(row["completion"] == "", row["verdict"], row["why"]) for row in _rows(tmp_path / "run")]
    answered, not_answered = (False, "correct", None), (True, "no_answer", "the row has no response")
    assert found == [answered, not_answered, not_answered, answered, answered, not_answered]


def test_a_file_that_changed_is_refused_and_the_run_stays_as_it_is(tmp_path: Path) -> None:
    _import([_lines(tmp_path / "a.jsonl", [ANSWER])], tmp_path / "run")
    with pytest.raises(DataError, match="another file of this name was imported"):
        _import([_lines(tmp_path / "a.jsonl", [ANSWER, ANSWER])], tmp_path / "run")
    assert len(_rows(tmp_path / "run")) == 1
    assert RunDir(tmp_path / "run").state() == "done"


def _bind(path: Path) -> None:
    """By its bare name: the whole path of a socket has at most 107 characters."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


@pytest.mark.parametrize("special", [os.mkfifo, _bind])
def test_a_special_file_is_refused_before_anything_is_written(tmp_path: Path, special: Callable[[Path], None]) -> None:
    dumps = tmp_path / "d"
    dumps.mkdir()
    special(dumps / "iter1_generation_results.json")
    with pytest.raises(DataError, match="wanted a regular file"):
        _import([dumps], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_of_too_many_files_is_refused_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(DataError, match="more than 3 files; name the folder of the dumps"):
        _import([tmp_path], tmp_path / "run")


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_of_one_name_in_one_import_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    files = [tmp_path / parent / "1.jsonl" for parent in "ab"]
    for file in files:
        file.parent.mkdir()
        _lines(file, [ANSWER | {"prompt": str(file)}])
    with pytest.raises(DataError, match=r"b/1.jsonl: another file of this name"):
        _import(files, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content",
    [
        '{"response": "x"}\n{"response": "y", "sample": "z"}\n',
        '{"response": "x", "step": -1}\n',
        '{"response": "x", "id": "a", "sample": 1}\n{"response": "y", "id": "a", "sample": 1}\n',
        '{"response": "x", "id": "a", "gold": "1"}\n{"response": "y", "id": "a", "gold": "2"}\n',
        '{"response": "x", "run": "a"}\n{"response": "y", "run": "b"}\n',
        '{"response": "x"}\n' * 3000 + "broken\n" + '{"response": "x"}\n',
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_a_refused_import_writes_nothing(tmp_path: Path, content: str, is_new: bool) -> None:
    """Not even the files before the faulty one, nor the rows before the faulty row."""
    if not is_new:
        _import([_lines(tmp_path / "before.jsonl", [ANSWER | {"prompt": "before"}])], tmp_path / "run")
    before = _tree(tmp_path / "run")
    whole = _lines(tmp_path / "a.jsonl", [ANSWER | {"prompt": "a"}])
    (tmp_path / "b.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        _import([whole, tmp_path / "b.jsonl"], tmp_path / "run")
    assert _tree(tmp_path / "run") == before


def test_any_exception_marks_an_import_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: Any, **_settings: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(import_samples, "write_table", breaks)
    with pytest.raises(ZeroDivisionError):
        _import([_lines(tmp_path / "a.jsonl", [ANSWER])], tmp_path / "run")
    assert (tmp_path / "run" / "FAILED").read_text("utf-8") == "ZeroDivisionError: a bug\n"


def test_csv_and_parquet(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["question", "response", "correct", "tokens_used", "completion_tokens"])
        writer.writeheader()
        writer.writerow({"question": "q", "response": "a, b\nc", "correct": "True", "completion_tokens": "7"})
    pq.write_table(pa.table({"response": ["x"], "score": [0.5], "step": [3]}), tmp_path / "b.parquet")
    _import([tmp_path / "a.csv", tmp_path / "b.parquet"], tmp_path / "run")
    first, second = _rows(tmp_path / "run")
    assert (first["completion"], first["verdict"], first["num_tokens"], first["prompt"]) == (
        "a, b\nc",
        "correct",
        7,
        None,
    )
    assert (second["completion"], second["reward"], second["step"], second["gold"]) == ("x", 0.5, 3, None)


def test_other_columns_are_kept_as_extra(tmp_path: Path) -> None:
    rows = [ANSWER | {"subject": "algebra", "level": 3, "huge": "x" * 5000}]
    _import([_lines(tmp_path / "a.jsonl", rows)], tmp_path / "run")
    extra = json.loads(_rows(tmp_path / "run")[0]["extra"])
    assert (extra["subject"], extra["level"], extra["imported_row"]) == ("algebra", 3, 1)
    assert "huge" not in extra


def test_several_runs_of_a_file(tmp_path: Path) -> None:
    rows = [ANSWER | {"run": name, "output": name} for name in ("x", "y", "x")]
    file = _lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=r"holds the runs x, y.*--run"):
        _import([file], tmp_path / "both")
    _import([file], tmp_path / "run", run="x")
    assert [row["completion"] for row in _rows(tmp_path / "run")] == ["x", "x"]
    with pytest.raises(DataError, match="no rows of a run 'z'"):
        _import([file], tmp_path / "none", run="z")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows"),
        ('{"question": "q"}\n', "neither responses"),
        ('{"response": "x"}\nbroken\n', "a.jsonl, line 2: broken JSON"),
        ('{"response": "x", "num_tokens": "many"}\n', "row 1: 'many' is not a number"),
        ('{"response": "x", "sample": 1.5}\n', "sample_index is 1.5, wanted a whole number"),
        (
            '{"response": "x", "id": 1, "sample": 0}\n{"response": "y", "id": 1, "sample": 0}\n',
            "row 2: sample 0 of 1 is",
        ),
    ],
)
def test_bad_files_are_told_readably(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        _import([tmp_path / "a.jsonl"], tmp_path / "run")


def test_a_name_of_a_benchmark_cannot_leave_the_run(tmp_path: Path) -> None:
    _import([_lines(tmp_path / "a.jsonl", [ANSWER | {"benchmark": "../../x"}])], tmp_path / "in" / "run")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["in"]
    assert _rows(tmp_path / "in" / "run")[0]["benchmark"] == "../../x"


def test_the_command_and_what_reads_its_run(tmp_path: Path) -> None:
    file = _lines(tmp_path / "a.jsonl", [ANSWER, ANSWER])
    done = orz_bench("import", file, "--out", tmp_path / "run", "--bench", "sums", "--step", "4")
    assert "2 rollouts into evals/sums/step=000004/imported" in done.stderr
    (run,) = load_path(tmp_path / "run")
    assert [(e.benchmark, e.step, len(e.samples.numbers())) for e in run.evaluations] == [("sums", 4, 2)]
    failed = orz_bench("import", tmp_path / "missing.jsonl", "--out", tmp_path / "run2", expect=2)
    assert "missing.jsonl" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "run2").exists()
