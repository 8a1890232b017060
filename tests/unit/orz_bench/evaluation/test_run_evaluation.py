"""From options to results: what is resolved, refused and written around the evaluations."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.engines.model_options import EngineOptions
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError, OrzError
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.evaluation.options import EvalOptions
from orz_bench.evaluation.run_evaluation import preview_evaluations, run_evaluations
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult
from tests.support.openai_server import Server, running


class Notes:
    """An observer that keeps what it receives."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, evaluation: Evaluation, *, num_wanted: int, num_missing: int) -> None:
        self.said.append(f"started {evaluation.card.benchmark} {num_missing}/{num_wanted}")

    def generating(self) -> None:
        self.said.append("generating")

    def committed(self, rollouts: Sequence[Rollout]) -> None: ...

    def finished(self, result: EvalResult) -> None:
        self.said.append(f"finished {result.benchmark}")

    def notice(self, text: str) -> None:
        self.said.append(text)


def at(url: str) -> EngineOptions:
    return EngineOptions(server=ServerSettings(base_url=url))


def session(**changes: Any) -> tuple[list[EvalResult], list[str]]:
    facts: dict[str, Any] = {"checkpoint": "fake", "engine": "fake", "benchmarks": ("arithmetic",), "limit": 5}
    notes = Notes()
    return run_evaluations(EvalOptions(**facts | changes), observer=notes), notes.said


def test_an_observer_hears_everything_in_order(tmp_path: Path) -> None:
    _, said = session(out=tmp_path, protocol_changes=ProtocolChanges(n=2))
    assert said == [
        "engine: fake",
        "arithmetic: 100 problems from the product itself",
        "started arithmetic 10/10",
        "generating",
        "finished arithmetic",
    ]


def test_questions_are_chosen_once_for_all_checkpoints_of_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.create(kind="eval", command=(), seed=1, environment={})
    for step in (10, 20):
        (run.path / "checkpoints" / f"step={step:06d}" / "policy").mkdir(parents=True)
    results, said = session(checkpoint=str(tmp_path), limit=1)
    assert [result.step for result in results] == [10, 20]
    assert said.count("arithmetic: 100 problems from the product itself") == 1


def test_the_engine_is_not_opened_where_nothing_is_missing(tmp_path: Path) -> None:
    session(out=tmp_path)
    assert "generating" not in session(out=tmp_path)[1]


def children() -> set[str]:
    """The process ids of this process's children."""
    return {child for path in Path("/proc/self/task").glob("*/children") for child in path.read_text().split()}


def test_no_process_is_started_for_answers_that_are_fast_to_grade(tmp_path: Path) -> None:
    before = children()

    class Processes(Notes):
        def finished(self, result: EvalResult) -> None:
            self.said += [Path(f"/proc/{child}/cmdline").read_text() for child in children() - before]

    notes = Processes()
    options = EvalOptions(checkpoint="fake:0.5", engine="fake", benchmarks=("arithmetic",), limit=5, out=tmp_path)
    (result,) = run_evaluations(options, observer=notes)
    assert 0 < result.summary.avg_at_n < 1
    assert not any("grading.workers.host" in text for text in notes.said)


def test_the_protocol_is_the_benchmarks_the_named_or_a_changed_one() -> None:
    facts: dict[str, Any] = {"checkpoint": "fake", "engine": "fake", "benchmarks": ("arithmetic",), "limit": 1}
    shown = preview_evaluations(EvalOptions(**facts), observer=Notes())
    assert "(1 question x 16)" in shown
    assert "  template: orz-code" in shown
    changes = ProtocolChanges(n=8, top_p=0.5)
    shown = preview_evaluations(EvalOptions(**facts, protocol="r1", protocol_changes=changes), observer=Notes())
    assert "(1 question x 8)" in shown
    assert all(f"  {line}\n" in shown for line in ("template: chat", "top_p: 0.5", "temperature: 0.6"))


def test_a_run_is_described_and_marked(tmp_path: Path) -> None:
    session(out=tmp_path, command=("orz-bench", "eval", "--ckpt", "fake"))
    info = RunDir(tmp_path).info()
    assert (info["kind"], info["command"][0], info["seed"]) == ("eval", "orz-bench", 42)
    assert "math-verify" in info["packages"]
    assert yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))["limit"] == 5
    events = [json.loads(line)["event"] for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()]
    assert events == ["evaluation_started", "evaluation_done"]
    assert (tmp_path / "DONE").exists()


def test_a_failed_run_says_why_until_it_goes_on(tmp_path: Path) -> None:
    with pytest.raises(OrzError):
        session(out=tmp_path, benchmarks=("arithmetic", "nosuch"))
    assert "nosuch" in (tmp_path / "FAILED").read_text(encoding="utf-8")
    session(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name in ("DONE", "FAILED")] == ["DONE"]


def test_who_does_not_own_a_run_evaluates_into_it_and_marks_nothing(tmp_path: Path) -> None:
    session(out=tmp_path)
    files = [tmp_path / name for name in ("DONE", "config.yaml", "run.json")]
    before = [path.read_bytes() for path in files]
    with RunDir(tmp_path).lock():
        (result,) = session(out=tmp_path, seed=42, limit=6)[0]
        assert result.num_generated_now > 0
        evaluation = RunDir(tmp_path).evaluations()[0]
        with evaluation.lock(), pytest.raises(OrzError, match="another process writes here"):
            session(out=tmp_path, limit=7)
    assert [path.read_bytes() for path in files] == before
    assert not (tmp_path / "FAILED").exists()


def test_everything_is_checked_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'math500'"):
        session(out=tmp_path, benchmarks=("arithmetic", "math50"))
    assert not (tmp_path / "evals").exists()


def test_the_run_is_named_after_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (result,) = session(checkpoint="fake:0.5")[0]
    assert result.run == "runs/fake:0.5"


@pytest.mark.parametrize("protocol", ["orz", "greedy"])
def test_the_fingerprint_is_the_protocols(tmp_path: Path, protocol: str) -> None:
    (first,), (again,), (seeded,) = (
        session(out=tmp_path / name, protocol=protocol, seed=seed)[0] for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.fingerprint == again.fingerprint == seeded.fingerprint
    assert first.summary == again.summary != seeded.summary


def test_a_refused_command_leaves_a_run_as_it_is(tmp_path: Path) -> None:
    session(out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(OrzError):
        session(out=tmp_path, benchmarks=("arithmetic", "nosuch"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_command_that_finds_another_at_work_names_it_and_marks_nothing(tmp_path: Path) -> None:
    (result,) = session(out=tmp_path)[0]
    folder = RunDir(tmp_path).evaluation(benchmark="arithmetic", step=0, fingerprint=result.fingerprint)
    with folder.lock(), pytest.raises(OrzError, match=rf"another process writes here \(process {os.getpid()} on "):
        session(out=tmp_path, limit=7)
    assert (tmp_path / "DONE").exists()
    assert not (tmp_path / "FAILED").exists()


def test_the_last_of_several_commands_marks_the_run(tmp_path: Path) -> None:
    session(out=tmp_path)
    with RunDir(tmp_path).shared() as is_alone:
        session(out=tmp_path, limit=7)
        assert RunDir(tmp_path).state() == "open"
        assert is_alone is not None
        assert is_alone()


def test_a_finished_evaluation_writes_nothing_when_it_is_asked_for_again(tmp_path: Path) -> None:
    (first,) = session(out=tmp_path)[0]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    (again,) = session(out=tmp_path)[0]
    assert (again.summary, again.num_generated_now) == (first.summary, 0)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_secrets_of_an_address_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "env-hush")
    with running(Server()) as url:
        address = url.replace("://", "://me:pw-hush@") + "?key=query-hush"
        facts = {"checkpoint": "m", "engine": "openai", "engine_settings": at(address)}
        said = session(**facts, out=tmp_path / "a", command=("eval", f"--base-url={address}"))[1]
        with pytest.raises(OrzError) as caught:
            session(**facts | {"checkpoint": "other"}, out=tmp_path / "b", command=("eval", "--base-url", address))
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 8
    for text in (*written, str(caught.value).encode(), " ".join(said).encode()):
        assert b"-hush" not in text
    assert (tmp_path / "b" / "FAILED").exists()


def test_the_server_and_its_model_are_on_the_card(tmp_path: Path) -> None:
    results = []
    for behaviour in ({}, {"root": "models/other"}, {"answers_as": "m-2"}, {"max_model_len": 4096}):
        with running(Server(**behaviour)) as url:
            facts = {"checkpoint": "m", "engine": "openai", "engine_settings": at(url)}
            results += session(**facts, out=tmp_path)[0]
    assert len({result.fingerprint for result in results}) == 4
    assert [result.protocol["server"]["root"] for result in results[:2]] == ["models/m", "models/other"]
    assert all(result.summary.avg_at_n == 1.0 for result in results)


def test_a_context_that_leaves_too_little_is_said(tmp_path: Path) -> None:
    with running(Server(max_model_len=1500)) as url:
        facts = {"checkpoint": "m", "engine": "openai", "engine_settings": at(url)}
        said = session(**facts, out=tmp_path)[1]
    assert any("the server's context of 1,500 tokens leaves" in text and "8,000" in text for text in said)
