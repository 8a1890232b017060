"""What `orz-bench probe` stored, in the report."""

from __future__ import annotations

from pathlib import Path

from analysis.curves.build import build_study
from analysis.curves.probed import with_thoughts
from analysis.figures.needs import needs_figure
from analysis.figures.thoughts import thoughts_figure
from analysis.reading.load import load_path
from analysis.report.thought_finding import need_finding, thought_finding
from orz_bench.probing.thought_use import thought_use
from orz_bench.records.carded_rows import SUMMARY, CardedRows
from orz_bench.records.thought_need import FOLDER
from orz_bench.records.thoughts import NAME, write_thought_use
from tests.support.analysed import a_need
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


def test_what_a_model_needs_is_in_the_report(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=2)
    folder = CardedRows.under(run.evaluations()[0].path / FOLDER, {"model": "d"})
    with folder.writing({"model": "d"}):
        folder.write_summary(a_need().to_json())
    study = with_thoughts(build_study(load_path(run.path)[0]))
    assert study.needs == {"arithmetic, step 0, asked m": a_need()}
    finding = need_finding(*next(iter(study.needs.items())))
    assert finding.answer == "yes"
    assert "right in 10.0 % (5.0 % to 20.0 %) without its thought and in 90.0 %" in finding.headline
    assert finding.details[1] == (
        "True-thinking score of all steps by an answer right behind it: 0.10 (0.05 to 0.20) over 9 steps, of which "
        "90.0 % (80.0 % to 95.0 %) are decorative; support, the same with its signs: +0.10."
    )
    assert [panel.title for panel in needs_figure(study.needs).panels] == ["Right answers", "The response's own answer"]
    (folder.path / SUMMARY).write_text("{}", encoding="utf-8")
    assert "summary is damaged" in with_thoughts(study).run.notes[-1]
