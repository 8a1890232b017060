"""The Python functions are the commands: the same rows, the same errors, nothing printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import orz_bench
from orz_bench.api import option_names, options_of
from orz_bench.cli import app, main
from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.evaluation.options import EvalOptions
from orz_bench.records.contamination import read_contamination
from orz_bench.records.run_dir import RunDir
from orz_bench.records.thought_need import read_thought_needs
from orz_bench.records.thoughts import read_thought_use
from tests.support.command_line import rows_of
from tests.unit.orz_bench.interventions.test_need import TEXT, an_evaluation


def test_an_evaluation_is_that_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench", "arithmetic", "--limit", "7", "--n", "3"]
    monkeypatch.setattr("sys.argv", ["orz-bench", *words, "--temperature", "0.5", "--out", str(tmp_path / "command")])
    with pytest.raises(SystemExit):
        main()
    capsys.readouterr()
    notices: list[str] = []
    results = orz_bench.evaluate(
        "fake:0.6",
        engine="fake",
        benchmarks=["arithmetic"],
        limit=7,
        n=3,
        temperature=0.5,
        out=tmp_path / "python",
        notice=notices.append,
    )
    assert capsys.readouterr().out == ""
    assert notices
    assert rows_of(tmp_path / "python") == rows_of(tmp_path / "command")
    assert results.path == tmp_path / "python"
    assert len(results.rows) == results.table.num_rows == 21
    assert list(results.summary["avg_at_n"]) == [results.evaluations[0].summary.avg_at_n]
    assert results.rows["verdict"].eq("correct").mean() == pytest.approx(results.evaluations[0].summary.avg_at_n)
    again = orz_bench.load(tmp_path / "python")
    assert again.summary["fingerprint"].equals(results.summary["fingerprint"])


def test_a_call_resumes(tmp_path: Path) -> None:
    def ask(n: int) -> int:
        found = orz_bench.evaluate("fake", engine="fake", benchmarks="arithmetic", limit=2, n=n, out=tmp_path)
        return found.evaluations[0].num_generated_now

    assert [ask(2), ask(2), ask(5)] == [4, 0, 6]


def test_a_probe_is_that_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of stored responses, and of a model that is asked again; the second call of the latter asks nothing."""
    run = an_evaluation(tmp_path / "run", TEXT, TEXT).path.parents[3]
    (found,) = orz_bench.probe(run)
    assert (found.benchmark, found.step, found.need) == ("sums", 0, None)
    assert found.use == read_thought_use(RunDir(run).evaluations()[0])
    assert orz_bench.probe(run, benchmarks="sums", step=0) == [found]
    notices: list[str] = []
    (asked,) = orz_bench.probe(
        run, checkpoint="fake", engine="fake", at=[0, 1], measure="both", responses=1, notice=notices.append
    )
    assert asked.need is not None
    assert (asked.need.positions, asked.use) == ((0, 1), None)
    assert [asked.need] == read_thought_needs(RunDir(run).evaluations()[0])
    assert asked.path.parent.name == "need"
    assert notices
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": (0, 1)}, "option 'at' is for a model that is asked again"),
        ({"benchmarks": ["other"]}, "no evaluation of that choice; it has sums at step 0"),
        ({"checkpoint": "fake", "engine": "fake", "at": (0, 50)}, "50 is no share of a thought"),
        ({"checkpoint": "fake", "engine": "fake", "measure": "all"}, "measure 'all' is unknown"),
        ({"checkpoint": "fake", "enginee": "fake"}, r"did you mean 'engine'"),
    ],
)
def test_errors_of_a_probe(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    run = an_evaluation(tmp_path / "run", TEXT).path.parents[3]
    with pytest.raises(ConfigError, match=message):
        orz_bench.probe(run, **options)


def test_contamination_is_that_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "fresh.jsonl"
    rows = [
        {"question": f"Ann has {at} pears and buys {at + 3} more. How many now?", "answer": str(2 * at + 3)}
        for at in range(12)
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = orz_bench.check_contamination(
        "fake",
        engine="fake",
        benchmarks="arithmetic",
        fresh=[str(table)],
        limit=12,
        at=(0.4, 0.8),
        out=tmp_path / "run",
    )
    assert capsys.readouterr().out == ""
    assert [one.num_questions for one in found.benchmarks] == [12, 12]
    assert [one.share for one in found.benchmarks[0].completions] == [0.4, 0.8]
    assert [list(one.tests) for one in read_contamination(found.path) if one.tests] == [list(found.against_fresh)]
    words = ["contamination", "--ckpt", "fake", "--engine", "fake", "--bench", "arithmetic", "--fresh", str(table)]
    done = CliRunner().invoke(app, [*words, "--limit", "12", "--at", "40,80", "--out", str(found.path), "--json"])
    printed = json.loads(done.stdout)
    assert printed["benchmarks"] == json.loads(json.dumps([one.to_json() for one in found.benchmarks]))
    assert printed["against_fresh"] == [one.to_json() for one in found.against_fresh]
    assert len(list(found.path.glob("contamination/*/*"))) == 2, "the command found everything"
    with pytest.raises(ConfigError, match="--bench is empty"):
        orz_bench.check_contamination("fake", engine="fake", benchmarks=[])


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigError, match=r"option 'temprature' is unknown \(did you mean 'temperature'\?\)"):
        orz_bench.evaluate("fake", temprature=1)


def test_options_reach_their_groups() -> None:
    options = options_of(EvalOptions, {"checkpoint": "c", "n": 4, "stop": ["x"], "tensor_parallel": 2, "ids": ["a"]})
    assert options.protocol_changes.n == 4
    assert options.protocol_changes.stop == ("x",)
    assert options.engine_settings.vllm.tensor_parallel == 2
    assert options.ids == ("a",)
    assert len(set(option_names(EvalOptions))) == len(list(option_names(EvalOptions)))


def test_grading_one_and_many() -> None:
    assert orz_bench.grade(r"So \boxed{\frac12}", "0.5").verdict == "correct"
    grades = orz_bench.grade([r"\boxed{2}", "no idea"], ["3", "3"])
    assert [grade.verdict for grade in grades] == ["wrong", "no_answer"]
    assert orz_bench.grade("Answer: C", "C", kind="choice", num_choices=4).verdict == "correct"
    assert orz_bench.grade([], []) == []


def test_golds_are_as_many_as_responses() -> None:
    with pytest.raises(ConfigError, match="found 2 responses and 1 gold, wanted"):
        orz_bench.grade(["a", "b"], ["a"])
    with pytest.raises(ConfigError, match="kind 'code' is graded with its benchmark's data"):
        orz_bench.grade("a", "b", kind="code")


def test_a_comparison_of_two_runs(tmp_path: Path) -> None:
    for name in ("fake:0.2", "fake:0.9"):
        orz_bench.evaluate(name, engine="fake", benchmarks=["arithmetic"], limit=20, n=4, out=tmp_path / name)
    (compared,) = orz_bench.compare(tmp_path / "fake:0.2", tmp_path / "fake:0.9")
    assert compared.comparison.difference > 0.3
    with pytest.raises(RunDirError):
        orz_bench.compare(tmp_path / "fake:0.2", tmp_path / "absent")
    with pytest.raises(OrzError):
        orz_bench.load(tmp_path)
