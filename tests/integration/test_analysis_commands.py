"""orz-analysis in a process of its own, as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.cli import app
from tests.support.command_line import PROJECT, run_command
from tests.support.golden_files import expect_golden
from tests.support.runs import a_run
from tests.support.shared_data import shared_data

PLAIN = {"TERM": "dumb", "NO_COLOR": "1"}
COMMANDS = (
    "report",
    "reflection",
    "boundary",
    "values",
    "step-moment",
    "forecast",
    "weights",
    "tokens",
    "detect",
    "compare",
    "figure",
    "figures",
    "metrics",
)


def _orz_analysis(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    return run_command("analysis.cli", arguments, expect=expect, environment=PLAIN)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    changes = {"advantage.lam": 0.95}
    return [
        a_run(folder / "a", seed=1).path,
        a_run(folder / "b", seed=2).path,
        a_run(folder / "c", changes=changes).path,
    ]


@pytest.fixture(scope="module")
def report(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "out"
    done = _orz_analysis("report", *runs, "--out", folder)
    assert done.stdout.strip() == str(folder / "index.html")
    return folder


def test_report(report: Path) -> None:
    html = (report / "index.html").read_text(encoding="utf-8")
    assert "Did it learn?" in html
    assert html.count("Does training narrow what it can solve (arithmetic)?") == 3
    assert "pass@4" in html
    assert html.count('<img alt="') >= 6
    assert not re.search(r"https?:|\bsrc=\"(?!data:)", html)
    figures = {path.stem for path in (report / "figures").glob("*.pdf")}
    assert {"training", "format", "benchmarks", "accuracy-length", "reflection", "lambda", "boundary"} <= figures
    for name in figures:
        assert (report / "figures" / f"{name}.png").stat().st_size > 10_000
        assert len(pd.read_csv(report / "figures" / f"{name}.csv"))
    assert "± " in (report / "results.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    ["report LONG --out .", "reflection LONG", "step-moment LONG", "compare LONG", "figure training LONG",
     "report RUNS --out LONG", "compare RUNS --out LONG", "figure lambda RUNS --out LONG"],
)  # fmt: skip
def test_a_name_longer_than_a_file_name_may_be(runs: list[Path], tmp_path: Path, arguments: str) -> None:
    meant = {"LONG": [str(tmp_path / ("x" * 300))], "RUNS": [str(runs[0]), str(runs[2])]}
    done = CliRunner().invoke(app, [text for word in arguments.split() for text in meant.get(word, [word])])
    assert done.exit_code == 2
    assert "File name too long" in done.stderr
    assert isinstance(done.exception, SystemExit)


@pytest.mark.slow
def test_a_report_again_replaces_the_old_one(runs: list[Path], report: Path) -> None:
    content = (report / "index.html").read_bytes()
    (report / "index.html").write_text("an old one", encoding="utf-8")
    assert _orz_analysis("report", *runs, "--out", report).stdout.strip() == str(report / "index.html")
    assert (report / "index.html").read_bytes() == content


def test_reflection(runs: list[Path]) -> None:
    printed = json.loads(_orz_analysis("reflection", runs[0], "--json", "--lexicon", "orz-paper").stdout)
    assert printed["lexicon"] == "orz-paper"
    names = [one["name"] for one in printed["sets"]]
    assert names == ["a: training", "a: arithmetic, step 0", "a: arithmetic, step 6"]
    training = printed["sets"][0]
    assert training["num_responses"] == 96
    assert training["rate"] == training["num_reflecting"] / 96
    assert sum(training["by_pattern"].values()) == training["reflections"]
    assert sum(training["by_position"]) == training["reflections"]
    table = _orz_analysis("reflection", runs[0]).stdout
    assert "a: training (orz-code v1)" in table


def test_step_moment(runs: list[Path], tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    values = np.random.default_rng(0).normal(0, 0.1, 150) + 2.0 * (np.arange(150) >= 90)
    pd.DataFrame({"step": range(150), "reward": values, "response_length": 100 * values}).to_csv(curve, index=False)
    printed = json.loads(_orz_analysis("step-moment", curve, "--json").stdout)
    assert [(one["metric"], one["kind"]) for one in printed["breaks"]] == [
        ("reward/mean", "level"),
        ("response/length_mean", "level"),
    ]
    assert printed["breaks"][0]["step"] == pytest.approx(90, abs=3)
    assert [one["metrics"] for one in printed["joint"]] == [["response/length_mean", "reward/mean"]]
    table = _orz_analysis("step-moment", curve, "--metrics", "reward").stdout
    assert "reward/mean" in table
    assert "response/length_mean" not in table
    done = _orz_analysis("step-moment", runs[0], "--json")
    assert json.loads(done.stdout) == {"breaks": [], "joint": []}
    assert "not tested (fewer than" in _orz_analysis("step-moment", runs[0]).stderr


def test_compare(runs: list[Path], tmp_path: Path) -> None:
    printed = json.loads(_orz_analysis("compare", *runs, "--json").stdout)
    assert [(one["label"], one["seeds"]) for one in printed["experiments"]] == [("lam=1.0", [1, 2]), ("lam=0.95", [42])]
    done = _orz_analysis("compare", *runs, "--out", tmp_path)
    assert "response/length_mean" in done.stdout
    assert (tmp_path / "comparison.png").exists()


def test_figure(runs: list[Path], tmp_path: Path) -> None:
    done = _orz_analysis("figure", "training", *runs, "--out", tmp_path / "new" / "folder")
    assert [Path(line).name for line in done.stdout.split()] == ["training.png", "training.pdf", "training.csv"]
    assert "Runs: lam=1.0 (a, b; seeds 1, 2)" in done.stderr


def test_figures_and_metrics() -> None:
    listed = _orz_analysis("figures").stdout
    numbers = {word for line in listed.splitlines() for word in re.findall(r"\b\d+\b", line[:30])}
    assert numbers == {str(number) for number in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}
    assert "reflection/rate" in _orz_analysis("metrics").stdout
    written = (PROJECT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert _orz_analysis("metrics", "--markdown").stdout == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "absent", "--out", "x"), "no such file or folder"),
        (("reflection", "{run}", "--lexicon", "orz-cod"), "did you mean 'orz-code'"),
        (("figure", "trainin", "{run}"), "did you mean 'training'"),
        (("figure", "lambda", "{run}"), "name runs that differ in advantage.lam"),
        (("report", "{folder}", "--out", "x"), "neither a run directory"),
        (("compare", "{file}"), "broken JSON"),
        (("step-moment", "{run}", "--metrics", "rewardd"), "no metric rewardd"),
        (("report", "{run}", "--out", "{file}"), "cannot write"),
    ],
)
def test_errors(runs: list[Path], tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\nno json\n{}\n")
    (tmp_path / "empty").mkdir()
    places = {"run": str(runs[0]), "folder": str(tmp_path / "empty"), "file": str(broken)}
    done = _orz_analysis(*(argument.format(**places) for argument in arguments), expect=2)
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert broken.read_text() == "{}\nno json\n{}\n"


def test_files_of_other_tools() -> None:
    folder = shared_data() / "rollouts"
    printed = json.loads(_orz_analysis("reflection", folder / "orz_fork_eval_math500.jsonl", "--json").stdout)
    assert sum(one["num_responses"] for one in printed["sets"]) == 3000


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command: str) -> None:
    """The names of options are what scripts rely on."""
    options = sorted(set(re.findall(r"--[a-z][a-z-]*", _orz_analysis(command, "--help").stdout)))
    expect_golden(f"options-analysis-{command}.txt", "\n".join(options) + "\n")
