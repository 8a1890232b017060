"""Every analysis of one run: what it says where there is something, and why it says nothing where there is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import analysis
from analysis.curves.build import build_study
from analysis.curves.study import Study
from analysis.figures.contamination import contamination_figure
from analysis.reading.load import load_path
from analysis.report.analyses import ANALYSES, found_by
from analysis.report.build import write_report
from analysis.report.contamination_finding import contamination_finding, contamination_findings, named
from orz_bench.records.carded_rows import SUMMARY
from orz_bench.records.contamination import StoredContamination, read_contamination
from tests.support.analysed import add_contamination, analysed
from tests.support.runs import a_run

BY_NAME = {analysis.name: analysis for analysis in ANALYSES}


def study_of(path: Path) -> Study:
    return build_study(load_path(path)[0])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A run that every analysis but that of tokens has something to say of."""
    return study_of(analysed(tmp_path_factory.mktemp("runs") / "run").path)


@pytest.mark.parametrize("name", [one.name for one in ANALYSES if one.name not in ("tokens", "ages", "forecast")])
def test_what_is_there_is_found(whole: Study, name: str) -> None:
    found = found_by(BY_NAME[name], whole)
    assert (found.refusal, found.is_empty) == ("", False)
    assert found.figure is not None
    assert found.figure.panels
    assert str(whole.run.path) in BY_NAME[name].command(whole)


def test_ages_are_a_table(whole: Study, tmp_path: Path) -> None:
    """Sums that are generated are on no page; a set with a date is older, newer, or unknown."""
    assert "every evaluated benchmark is generated" in found_by(BY_NAME["ages"], whole).refusal
    (result, *_) = whole.run.results
    old = replace(result, benchmark="aime24", model="meta-llama/Llama-3.1-8B")
    evaluation = replace(whole.run.evaluations[0], benchmark="aime24", result=old)
    dated = replace(whole, run=replace(whole.run, evaluations=(evaluation,)))
    (table,) = found_by(BY_NAME["ages"], dated).tables
    assert table.headings[:2] == ("benchmark", "its questions")
    assert table.rows[0][:2] == ("aime24", "newer")
    page = write_report([dated], tmp_path / "out")
    assert "aime24,newer," in (page.page.parent / "ages.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("boundary", "no benchmark has two evaluated checkpoints with several samples"),
        ("forecast", "the run has 2 steps, wanted at least 60"),
        ("tokens", "rollouts.entropies=true"),
        ("weights", "has 0 kept checkpoints, wanted two"),
    ],
)
def test_what_is_computed_says_why_there_is_nothing(tmp_path: Path, name: str, reason: str) -> None:
    run = a_run(tmp_path / "a run", num_steps=2)
    for path in run.path.glob("evals/*/step=000002/*/summary.json"):
        path.unlink()
    study = study_of(run.path)
    found = found_by(BY_NAME[name], study)
    assert found.is_empty
    assert reason in found.refusal
    command = BY_NAME[name].command(study)
    assert f"'{run.path}'" in command, "a path with a space is one word of the command"
    assert ("FIRST" in command) == (name in ("boundary", "weights"))


@pytest.mark.parametrize("name", ["thoughts", "needs", "contamination", "behaviours", "values"])
def test_what_commands_store_is_empty_without_them(tmp_path: Path, name: str) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    found = found_by(BY_NAME[name], study_of(run.path))
    assert (found.is_empty, found.figure, found.refusal) == (True, None, "")


def test_damaged_results_are_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    add_contamination(run)
    next(run.path.glob(f"contamination/*/*/{SUMMARY}")).write_text("{}", encoding="utf-8")
    assert "run orz-bench contamination again" in found_by(BY_NAME["contamination"], study_of(run.path)).refusal


def test_contamination_says_what_the_tests_say(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    add_contamination(run)
    stored = named(read_contamination(run.path))
    assert list(stored) == ["fresh, asked m", "old, asked m"]
    (finding,) = contamination_findings(list(stored.values()))
    assert finding.answer == "yes"
    assert finding.details[1].startswith(
        "Against fresh (12 and 12 questions): ROUGE-L +60.0 points (95 % interval +50.0"
    )
    assert contamination_finding("fresh", stored["fresh, asked m"]).answer == "unknown"
    unsure = _tested(stored["old, asked m"], p_value=0.2)
    assert contamination_finding("old", unsure).answer == "unclear"
    figure = contamination_figure(stored)
    assert figure is not None
    assert [panel.title for panel in figure.panels] == [
        "Agreement of completions", "Exact completions", "Right answers given at once"
    ]  # fmt: skip
    assert contamination_figure({}) is None
    assert list(named([stored["old, asked m"]] * 3)) == ["old, asked m", "old, asked m (2)", "old, asked m (3)"]


def _tested(stored: StoredContamination, *, p_value: float) -> StoredContamination:
    return replace(stored, tests=tuple(replace(test, p_value=p_value) for test in stored.tests))


def test_the_report_from_python_has_them_too(whole: Study, tmp_path: Path) -> None:
    """Not only that of the command."""
    page = analysis.write_report(whole, tmp_path).read_text(encoding="utf-8")
    for question in (
        "Where does the right answer come", "Does it need the thought", "Is it known by heart",
        "Which behaviours do responses show", "Does the critic know", "Does training narrow", "Which weights moved",
    ):  # fmt: skip
        assert question in page
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert {"thoughts", "needs", "contamination", "behaviours", "values", "boundary", "weights"} <= names
    assert "completed exactly" in (tmp_path / "contamination.csv").read_text(encoding="utf-8")
    json.dumps(found_by(BY_NAME["thoughts"], whole).findings[0].details)
