"""The command and the report on run directories."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.cli import app
from analysis.curves.bounded import with_boundaries
from analysis.curves.build import build_study
from analysis.reading.load import load_path
from analysis.report.boundary_finding import boundary_finding
from orz_bench.records.run_dir import RunDir
from tests.support.runs import a_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return a_run(tmp_path_factory.mktemp("runs") / "run", num_steps=6)


def test_table_json_and_figure(run: RunDir, tmp_path: Path) -> None:
    pair = [f"{run.path}@0", str(run.path)]
    shown = CliRunner().invoke(app, ["boundary", *pair, "--out", str(tmp_path / "figures")])
    assert shown.exit_code == 0, shown.output
    assert "arithmetic: run against run@0" in shown.output
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png", ".pdf", ".csv"}
    printed = json.loads(CliRunner().invoke(app, ["boundary", *pair, *pair[1:], "--k", "1,4", "--json"]).stdout)
    first, again = printed["pairs"]
    assert first == again
    assert (first["num_questions"], first["n"]) == (10, 4)
    assert [test["k"] for test in first["tests"]] == [1, 4]
    assert first["pass_run"][0]["value"] == first["tests"][0]["comparison"]["average_b"]
    support = first["support"]
    assert support["both"] + support["neither"] + len(support["entered"]) + len(support["left"]) == 10


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--k", "5"], "choose k from 1 to 4"),
        (["--k", "two"], "not a whole number above 0"),
        (["--bench", "aime24"], "nothing to compare"),
    ],
)
def test_errors(run: RunDir, more: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["boundary", f"{run.path}@0", str(run.path), *more])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_the_first_and_the_last_checkpoint_are_compared(run: RunDir) -> None:
    """What the report shows (tests/integration/test_analysis_commands.py)."""
    (found,) = with_boundaries(build_study(load_path(run.path)[0])).boundaries
    assert (found.base, found.run, found.n) == ("step 0", "step 6", 4)
    finding = boundary_finding(found)
    assert finding.question == "Does training narrow what it can solve (arithmetic)?"
    assert (finding.answer, finding.news) in (("no", "good"), ("unclear", "unclear"))


def test_one_sample_a_question_has_no_boundary(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    for evaluation in run.evaluations():
        result = evaluation.result()
        assert result is not None
        evaluation.write_result(replace(result, summary=replace(result.summary, n=1)))
    assert with_boundaries(build_study(load_path(run.path)[0])).boundaries == ()
