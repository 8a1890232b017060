"""The Python functions are the commands: the same rows, the same errors, nothing printed."""

from __future__ import annotations

from pathlib import Path

import pytest

import orz_bench
from orz_bench.api import option_names, options_of
from orz_bench.cli import main
from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.evaluation.options import EvalOptions
from tests.support.command_line import rows_of


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
