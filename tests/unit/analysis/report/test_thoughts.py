"""What `orz-bench probe` stored, in the report."""

from __future__ import annotations

from pathlib import Path

from analysis.curves.build import build_study
from analysis.curves.probed import with_thoughts
from analysis.figures.thoughts import thoughts_figure
from analysis.reading.load import load_path
from analysis.report.thought_finding import thought_finding
from orz_bench.probing.thought_use import thought_use
from orz_bench.records.thoughts import NAME, write_thought_use
from tests.support.runs import a_run


def test_finding_and_figure(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    assert with_thoughts(build_study(load_path(run.path)[0])).thoughts == {}
    for evaluation in run.evaluations():
        write_thought_use(evaluation, thought_use(evaluation))
    study = with_thoughts(build_study(load_path(run.path)[0]))
    assert list(study.thoughts) == ["arithmetic, step 0", "arithmetic, step 2"]
    finding = thought_finding("arithmetic, step 2", study.thoughts["arithmetic, step 2"])
    assert "first concludes its answer after" in finding.headline
    figure = thoughts_figure(study.thoughts)
    assert figure is not None
    assert [panel.title for panel in figure.panels] == ["Right responses", "Wrong responses"]


def test_a_damaged_result_is_a_note(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    (run.evaluations()[0].path / NAME).write_text("{}", encoding="utf-8")
    study = with_thoughts(build_study(load_path(run.path)[0]))
    assert "results of orz-bench probe were left out" in study.run.notes[-1]
