"""Curves, scores, folders and our own verdicts beside those that came along."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.reading.load import load_path
from orz_bench.errors import DataError
from orz_bench.exchange.import_files import ImportedFile, ImportOptions, import_files
from orz_bench.records.run_dir import RunDir
from orz_bench.results.report import notes_on, render_markdown


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def imported(paths: Sequence[Path], out: Path, **options: Any) -> tuple[list[ImportedFile], list[str]]:
    notices: list[str] = []
    done = list(import_files(paths, out, options=ImportOptions(**options), notice=notices.append))
    return done, notices


VERL = {"input": "user\n1+1?\nassistant\n", "output": r"\boxed{2}", "gts": "2", "score": 1.0, "step": 1}
QWEN = {
    "idx": 0,
    "question": "q",
    "gt": "2",
    "answer": "2",
    "code": [r"\boxed{2}", r"\boxed{3}"],
    "pred": ["2", "3"],
    "score": [True, True],
}


def test_a_folder_of_dumps_and_a_log_is_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "verl"
    for step in (1, 2):
        lines(folder / "rollout_data" / f"{step}.jsonl", [VERL | {"step": step}, VERL | {"step": step, "score": 0.0}])
    (folder / "train.log").write_text("step:1 - critic/score/mean:0.5\nstep:2 - critic/score/mean:0.75\n", "utf-8")
    (folder / "notes.txt").write_text("nothing\n", "utf-8")
    done, notices = imported([folder], tmp_path / "run")
    assert [one.is_curve for one in done] == [False, False, True]
    assert any("notes.txt" in notice and "left out" in notice for notice in notices)
    (run,) = load_path(tmp_path / "run")
    assert run.kind == "train"
    assert list(run.metrics["reward/mean"]) == [0.5, 0.75]
    assert run.rollouts is not None
    assert len(run.rollouts.numbers()) == 4


def test_curves_are_joined_by_step_under_our_names(tmp_path: Path) -> None:
    first = lines(tmp_path / "a.jsonl", [{"step": 2, "critic/score/mean": 0.5}, {"step": 1, "critic/score/mean": 0.25}])
    second = lines(tmp_path / "b.jsonl", [{"step": 2, "own/thing": 7, "text": "x"}])
    imported([first, second], tmp_path / "run")
    imported([first, second], tmp_path / "run")
    rows, torn = RunDir(tmp_path / "run").metrics()
    assert (rows, torn) == ([{"step": 1, "reward/mean": 0.25}, {"step": 2, "reward/mean": 0.5, "own/thing": 7}], 0)


def test_two_columns_that_could_be_the_step_are_not_guessed(tmp_path: Path) -> None:
    rows = [{"step": n, "global_step": 10 * n, "loss": n} for n in (1, 2)]
    with pytest.raises(DataError, match="step and global_step could both be the step, and they differ"):
        imported([lines(tmp_path / "a.jsonl", rows)], tmp_path / "run")
    assert not (tmp_path / "run").exists()
    imported([tmp_path / "a.jsonl"], tmp_path / "run", step_column="global_step")
    assert [row["step"] for row in RunDir(tmp_path / "run").metrics()[0]] == [10, 20]
    with pytest.raises(DataError, match=r"no column 'stp' with numbers \(did you mean 'step'\?\)"):
        imported([tmp_path / "a.jsonl"], tmp_path / "run2", step_column="stp")


def test_scores_come_from_the_verdicts_of_the_file_and_say_so(tmp_path: Path) -> None:
    imported([lines(tmp_path / "q.jsonl", [QWEN, QWEN | {"idx": 1, "score": [True, False]}])], tmp_path / "run")
    (result,) = RunDir(tmp_path / "run").results()
    assert (result.summary.avg_at_n, result.summary.n, result.summary.num_problems) == (0.75, 2, 2)
    assert result.summary.mean_tokens is None
    assert result.summary.clip_rate is None
    assert result.summary.undefined["mean_tokens"] == "the numbers of tokens are unknown"
    assert "judged by it (Qwen2.5-Math: score), not by us" in notes_on([result])[0]
    assert "| – |" in render_markdown([result])


def test_our_verdicts_stand_beside_theirs(tmp_path: Path) -> None:
    _, notices = imported([lines(tmp_path / "q.jsonl", [QWEN])], tmp_path / "run", grade=True)
    assert notices == [
        "evals/q/step=000000/imported-qwen-math: 1 of 2 verdicts differ: 1 correct by the file and wrong by us"
    ]
    (evaluation,) = RunDir(tmp_path / "run").evaluations()
    rows = evaluation.read(["verdict", "second_verdict", "second_extractor"]).to_pylist()
    assert [(row["verdict"], row["second_verdict"]) for row in rows] == [("correct", "correct"), ("correct", "wrong")]
    (result,) = RunDir(tmp_path / "run").results()
    assert (result.summary.avg_at_n, result.summary.accuracy_second_extractor) == (1.0, 0.5)
    assert "50.0 by final, our grader" in notes_on([result])[0]


def test_samples_without_a_verdict_have_no_score(tmp_path: Path) -> None:
    row = {name: value for name, value in QWEN.items() if name != "score"}
    imported([lines(tmp_path / "q.jsonl", [row])], tmp_path / "run")
    assert RunDir(tmp_path / "run").results() == []
    _, notices = imported([tmp_path / "q.jsonl"], tmp_path / "run", grade=True)
    assert notices == ["evals/q/step=000000/imported-qwen-math: 1 of 2 samples correct by our grader; no other verdict"]


def test_two_golds_of_one_problem_are_an_error(tmp_path: Path) -> None:
    rows = [{"question": "q", "response": "a", "gold": gold} for gold in ("1", "2")]
    with pytest.raises(DataError, match=r"row 2: problem .* has the gold '2' here and '1' in a row before"):
        imported([lines(tmp_path / "a.jsonl", rows)], tmp_path / "run")
    told_apart = [row | {"example_id": number} for number, row in enumerate(rows)]
    imported([lines(tmp_path / "b.jsonl", told_apart)], tmp_path / "run2")
    (evaluation,) = RunDir(tmp_path / "run2").evaluations()
    assert [row["problem_id"] for row in evaluation.read(["problem_id"]).to_pylist()] == ["0", "1"]


def test_a_summary_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"results": {"gsm8k": {"acc,none": 0.5}}, "configs": {}, "versions": {}}), "utf-8")
    with pytest.raises(DataError, match=r"scores without answers \(gsm8k acc 0\.5\); name samples_\*\.jsonl beside it"):
        imported([path], tmp_path / "run")
    _, notices = imported([path, lines(tmp_path / "q.jsonl", [QWEN])], tmp_path / "run")
    assert "left out: lm-eval results of 1 task" in notices[0]


def test_a_folder_of_several_tools_is_refused(tmp_path: Path) -> None:
    lines(tmp_path / "x" / "1.jsonl", [VERL])
    lines(tmp_path / "x" / "q.jsonl", [QWEN])
    with pytest.raises(DataError, match=r"holds files of several tools: qwen-math \(q\.jsonl: .*verl \(1\.jsonl"):
        imported([tmp_path / "x"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_beside_dumps_are_passed_over_unread(tmp_path: Path) -> None:
    lines(tmp_path / "x" / "1.jsonl", [VERL])
    (tmp_path / "x" / "model.safetensors").write_bytes(b"\0" * 100)
    (tmp_path / "x" / "optimizer.pt").write_bytes(b"\x80\x04")
    done, notices = imported([tmp_path / "x"], tmp_path / "run")
    assert len(done) == 1
    assert notices == []


def test_responses_of_one_row_keep_their_places(tmp_path: Path) -> None:
    imported([lines(tmp_path / "q.jsonl", [QWEN])], tmp_path / "run")
    (evaluation,) = RunDir(tmp_path / "run").evaluations()
    extras = [json.loads(row["extra"]) for row in evaluation.read(["extra"]).to_pylist()]
    assert [(extra["imported_row"], extra.get("imported_place")) for extra in extras] == [(1, None), (1, 1)]
