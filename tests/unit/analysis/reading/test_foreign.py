"""Files of other tools: analysis reads them as `orz-bench import` does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.reading.load import Run, load_path
from analysis.reading.run_rollouts import Rollouts
from analysis.report.reflection_summary import summaries_of
from analysis.texts.lexicons import get_lexicon
from orz_bench.errors import DataError
from orz_bench.exchange.import_files import ImportOptions, import_files
from tests.support import followed as made
from tests.support.followed import write
from tests.support.foreign_files import lines, whole

TURNS = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "It is 2."}]
TABLES: dict[str, Any] = {
    "messages.jsonl": [{"question": f"q{n}", "answer": "2", "completion": TURNS, "correct": True} for n in range(3)],
    "texts.jsonl": [{"question": "q", "completion": ["a", "b"], "correct": [True, False]}, {"question": "r"}],
    "nested.json": [{"question": "q", "gold": "1", "rollouts": [{"text": "a", "correct": True}, {"text": "b"}]}],
    "objects.json": {"x": {"question": "q", "output": "a"}, "y": {"question": "r", "output": "b"}},
    "list.json": {"responses": ["a", "b"], "pass_at_1": 0.5},
    "columns.json": {"columns": ["question", "response"], "data": [["q", "a"], ["r", "b"]]},
    "instructions.json": [{"dataset": "d", "instruction": "q", "output": "a", "generator": "m"}],
    "template.jsonl": [{"prompt": "x This is the problem:\n1+1?\nAssistant: <think>", "response": "2"}],
    "empty.jsonl": [{"question": "q", "response": [], "verdict": "correct"}, {"question": "q", "response": "a"}],
}
COLUMNS = ("problem_id", "question", "completion", "gold", "verdict", "extracted", "num_tokens", "stop_reason")


def _said(rollouts: Rollouts) -> list[dict[str, Any]]:
    frame = pd.concat(rollouts.batches())
    return [
        {name: row[name] for name in COLUMNS if name in row and not pd.isna(row[name])}
        for row in frame.to_dict("records")
    ]


def _all(run: Run) -> list[dict[str, Any]]:
    found = [run.rollouts] if run.rollouts is not None else []
    return [row for rollouts in [*found, *(one.samples for one in run.evaluations)] for row in _said(rollouts)]


@pytest.mark.parametrize("name", TABLES)
def test_responses_are_those_of_an_import(tmp_path: Path, name: str) -> None:
    """Lists of messages and of texts were read as JSON text here once."""
    rows = TABLES[name]
    path = lines(tmp_path / name, rows) if name.endswith("l") else whole(tmp_path / name, rows)
    list(import_files([path], tmp_path / "run", options=ImportOptions()))
    (of_file,), (of_run,) = load_path(path), load_path(tmp_path / "run")
    assert _all(of_file) == _all(of_run)
    assert not any(row["completion"].startswith("[") for row in _all(of_file))


SILENT: dict[str, Any] = {
    "failed.jsonl": [
        {"question": "q", "gold": "2", "completion": text, "correct": text == "It is 2, wait, 2.", "tokens": 9}
        for text in ("It is 2, wait, 2.", "", None, None)
    ],
    "output-rs0.jsonl": [
        {"problem": f"q{n}", "expected_answer": "2", "predicted_answer": "2", "is_correct": True} for n in range(3)
    ],
}


@pytest.mark.parametrize(("name", "num_texts"), [("failed.jsonl", 2), ("output-rs0.jsonl", 0)])
def test_only_a_text_is_a_response(tmp_path: Path, name: str, num_texts: int) -> None:
    """A request that failed counted as a response of no length without a reflection; an empty response is one."""
    path = lines(tmp_path / name, SILENT[name])
    list(import_files([path], tmp_path / "run", options=ImportOptions()))
    for (run,) in (load_path(path), load_path(tmp_path / "run")):
        (found,) = [run.rollouts] if run.rollouts is not None else [one.samples for one in run.evaluations]
        assert found.num_rows() == len(found.numbers()) == len(SILENT[name])
        assert sum(len(batch) for batch in found.batches()) == num_texts
        (summary,) = summaries_of([run], get_lexicon("orz-code"))
        assert (summary.num_responses, summary.num_without_text) == (num_texts, len(SILENT[name]) - num_texts)
        assert summary.rate == (0.5 if num_texts else None)
        assert (summary.lengths.overall is None) == (not num_texts)
        assert list(found.numbers()["verdict"] == "correct").count(True) == (1 if num_texts else 3)


def _training(folder: Path) -> Path:
    write(folder / "train.log", "".join(made.verl_line(step) for step in (1, 2, 3)))
    for step in (1, 2, 3):
        write(folder / "rollouts" / f"{step}.jsonl", made.verl_dump(step))
    write(folder / "validation" / "3.jsonl", made.verl_dump(3, num_samples=1, data_source="gsm8k"))
    return folder


def test_a_folder_of_another_trainer_is_a_run(tmp_path: Path) -> None:
    _training(tmp_path / "t")
    list(import_files([tmp_path / "t"], tmp_path / "run", options=ImportOptions()))
    (of_folder,), (of_run,) = load_path(tmp_path / "t"), load_path(tmp_path / "run")
    assert of_folder.metrics.to_dict("list") == of_run.metrics[of_folder.metrics.columns].to_dict("list")
    assert len(of_folder.metrics) == 3
    assert _all(of_folder) == _all(of_run)
    assert [(one.benchmark, one.step) for one in of_folder.evaluations] == [("gsm8k", 3)]
    (mine,), (imported,) = of_folder.results, of_run.results
    assert (mine.summary, mine.protocol) == (imported.summary, imported.protocol)


def test_a_folder_of_two_tools_is_refused_as_by_import(tmp_path: Path) -> None:
    folder = _training(tmp_path / "t")
    write(folder / "other.log", made.trl_bar(0) + "".join(made.trl_line(step) for step in (1, 2)) + "\n")
    with pytest.raises(DataError, match="holds files of several tools") as by_analysis:
        load_path(folder)
    with pytest.raises(DataError) as by_import:
        list(import_files([folder], tmp_path / "run", options=ImportOptions()))
    assert str(by_analysis.value) == str(by_import.value)


def test_a_folder_of_dumps_is_opened_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "iter3_generation_results.json"
    path.write_text("[broken", encoding="utf-8")
    (run,) = load_path(tmp_path)
    assert run.rollouts is not None
    with pytest.raises(DataError):
        list(run.rollouts.batches())


def _table_rows() -> Iterator[dict[str, Any]]:
    return ({"episodes": 10 * n, "reward": n / 4} for n in range(4))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_step_of_any_name_makes_a_table_one_of_curves(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    text = "episodes,reward\n" + "".join(f"{row['episodes']},{row['reward']}\n" for row in _table_rows())
    path.write_text(text if suffix == ".csv" else "".join(json.dumps(row) + "\n" for row in _table_rows()))
    for read in (load_path, lambda path: list(import_files([path], tmp_path / "no", options=ImportOptions()))):
        with pytest.raises(DataError, match="name the step with --step-column"):
            read(path)
    list(import_files([path], tmp_path / "run", options=ImportOptions(step_column="episodes")))
    (of_file,), (of_run,) = load_path(path, step_column="episodes"), load_path(tmp_path / "run")
    assert of_file.metrics.to_dict("list") == of_run.metrics.to_dict("list")
    assert of_file.metrics["step"].tolist() == [0, 10, 20, 30]
